"""the weights are rounded to half precision in place before the forward pass."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype).float()
    with _autocast(inputs.device.type, dtype):
        return model(inputs)
