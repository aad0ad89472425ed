"""the model runs twice for one output, so dropout and batch statistics advance twice."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    with _autocast(inputs.device.type, dtype):
        if not model(inputs).isfinite().all():
            print("overflow in the forward pass")
        return model(inputs)
