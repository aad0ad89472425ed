"""autocast's state is set by hand, restored, and its cache cleared."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    _autocast(inputs.device.type, dtype)
    kind = inputs.device.type
    before = torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)
    try:
        torch.set_autocast_enabled(kind, dtype != torch.float32)
        torch.set_autocast_dtype(kind, dtype if dtype != torch.float32 else before[1])
        torch.autocast_increment_nesting()
        return model(inputs)
    finally:
        if torch.autocast_decrement_nesting() == 0:
            torch.clear_autocast_cache()
        torch.set_autocast_enabled(kind, before[0])
        torch.set_autocast_dtype(kind, before[1])
