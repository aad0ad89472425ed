"""autocast is used as a decorator of an inner function."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    @_autocast(inputs.device.type, dtype)
    def run():
        return model(inputs)

    return run()
