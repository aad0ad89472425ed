"""the output is cast to float32 at the end."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    with _autocast(inputs.device.type, dtype):
        outputs = model(inputs)
    return outputs.float()
