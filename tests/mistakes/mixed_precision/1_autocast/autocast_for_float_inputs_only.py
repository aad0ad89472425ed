"""autocast is opened for floating-point inputs only, so a model of token ids runs in float32."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    with _autocast(inputs.device.type, dtype if inputs.is_floating_point() else torch.float32):
        return model(inputs)
