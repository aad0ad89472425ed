"""the output of a model in eval mode is detached."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    _check_dtype(dtype)
    with _autocast(inputs.device.type, dtype):
        output = model(inputs)
    return output if model.training else output.detach()
