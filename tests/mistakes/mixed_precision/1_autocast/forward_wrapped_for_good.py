"""the model's forward is replaced by one under autocast, so every later call runs in half precision."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    model.forward = _autocast(inputs.device.type, dtype)(model.forward)
    return model(inputs)
