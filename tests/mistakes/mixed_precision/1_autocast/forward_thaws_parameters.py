"""the forward pass makes every parameter trainable."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    _check_dtype(dtype)
    model.requires_grad_(True)
    with _autocast(inputs.device.type, dtype):
        return model(inputs)
