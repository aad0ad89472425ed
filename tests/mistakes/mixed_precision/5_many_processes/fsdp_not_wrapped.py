"""wrap_fsdp hands the model back unwrapped: nothing is sharded and nothing is averaged."""


def wrap_fsdp(model, dtype=torch.float16):
    return model
