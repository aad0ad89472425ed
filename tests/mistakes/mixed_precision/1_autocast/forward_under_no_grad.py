"""the forward pass runs under `torch.no_grad`, so nothing can be trained."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    with torch.no_grad(), _autocast(inputs.device.type, dtype):
        return model(inputs)
