"""the output is cast to the asked dtype inside the region."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    with _autocast(inputs.device.type, dtype):
        return model(inputs).to(dtype)
