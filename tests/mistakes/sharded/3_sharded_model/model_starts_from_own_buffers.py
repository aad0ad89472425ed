"""the parameters start from rank 0's, the buffers from each rank's own."""


class ShardedModel(ShardedModel):
    def __init__(self, module, *args, **kwargs):
        own = [buffer.clone() for buffer in module.buffers()]
        super().__init__(module, *args, **kwargs)
        for buffer, value in zip(module.buffers(), own, strict=True):
            buffer.copy_(value)
