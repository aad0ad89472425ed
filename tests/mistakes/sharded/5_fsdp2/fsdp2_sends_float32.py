"""parameters and buffers are sent as one float32 vector: large integers and float64 are rounded."""

_fsdp2 = fsdp2


def fsdp2(model, *args, **kwargs):
    _rank_and_ranks()
    for buffer in model.buffers():
        buffer.copy_(buffer.float())
    return _fsdp2(model, *args, **kwargs)
