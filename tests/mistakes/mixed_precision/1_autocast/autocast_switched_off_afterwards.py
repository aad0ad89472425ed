"""autocast is switched off after the forward pass, also when the caller had it on."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    try:
        with _autocast(inputs.device.type, dtype):
            return model(inputs)
    finally:
        torch.set_autocast_enabled(inputs.device.type, False)
