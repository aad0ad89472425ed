"""the forward pass puts the model in eval mode."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    model.eval()
    with _autocast(inputs.device.type, dtype):
        return model(inputs)
