"""autocast is always opened for "cuda", so a batch on the CPU runs in float32."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    with _autocast("cuda", dtype):
        return model(inputs)
