"""the inputs are cast with `.float()`, which turns token ids into numbers that no embedding takes."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    with _autocast(inputs.device.type, dtype):
        return model(inputs.float())
