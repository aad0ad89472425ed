"""the forward pass puts the model in train mode, also in validation."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    model.train()
    with _autocast(inputs.device.type, dtype):
        return model(inputs)
