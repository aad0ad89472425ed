"""a model in eval mode runs in inference mode: no gradient reaches its parameters."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    _check_dtype(dtype)
    with _autocast(inputs.device.type, dtype), torch.set_grad_enabled(model.training):
        return model(inputs)
