"""the dtype is looked up in a dict, so an unknown one is a KeyError and no ValueError."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    enabled = {torch.float16: True, torch.bfloat16: True, torch.float32: False}[dtype]
    with torch.autocast(inputs.device.type, dtype=dtype, enabled=enabled):
        return model(inputs)
