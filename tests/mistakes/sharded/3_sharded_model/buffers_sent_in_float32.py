"""buffers are sent as float32, and cast back: large integers and float64 are rounded."""


class ShardedModel(ShardedModel):
    def __init__(self, module, *args, **kwargs):
        super().__init__(module, *args, **kwargs)
        for buffer in module.buffers():
            buffer.copy_(buffer.float())
