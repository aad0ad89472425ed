"""the inputs are detached, so no gradient reaches them or what computed them."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    with _autocast(inputs.device.type, dtype):
        return model(inputs.detach())
