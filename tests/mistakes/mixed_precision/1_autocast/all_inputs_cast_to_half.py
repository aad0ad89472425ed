"""all inputs are cast to half precision, token ids too."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    with _autocast(inputs.device.type, dtype):
        return model(inputs.to(dtype))
