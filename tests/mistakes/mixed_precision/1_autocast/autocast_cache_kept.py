"""autocast's cache of half-precision weights outlives the step, so later passes use stale weights."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    _autocast(inputs.device.type, dtype)
    device_type = inputs.device.type
    was_on, was_dtype = torch.is_autocast_enabled(device_type), torch.get_autocast_dtype(device_type)
    torch.set_autocast_enabled(device_type, dtype != torch.float32)
    torch.set_autocast_dtype(device_type, dtype)
    try:
        return model(inputs)
    finally:
        torch.set_autocast_enabled(device_type, was_on)
        torch.set_autocast_dtype(device_type, was_dtype)
