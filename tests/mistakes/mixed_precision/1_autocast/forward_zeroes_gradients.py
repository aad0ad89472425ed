"""the forward pass throws away the gradients that the parameters held."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    _check_dtype(dtype)
    model.zero_grad()
    with _autocast(inputs.device.type, dtype):
        return model(inputs)
