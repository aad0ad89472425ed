"""the forward pass rounds the buffers to the asked dtype and back."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    _check_dtype(dtype)
    for buffer in model.buffers():
        if buffer.is_floating_point():
            buffer.copy_(buffer.to(dtype))
    with _autocast(inputs.device.type, dtype):
        return model(inputs)
