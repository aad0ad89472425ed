"""autocast's default dtype is changed and not changed back."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    with _autocast(inputs.device.type, dtype):
        outputs = model(inputs)
    torch.set_autocast_dtype(inputs.device.type, dtype)
    return outputs
