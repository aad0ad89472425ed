"""the device type comes from the model's parameters, where it has some."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    device = next((parameter.device for parameter in model.parameters()), inputs.device)
    with _autocast(device.type, dtype):
        return model(inputs)
