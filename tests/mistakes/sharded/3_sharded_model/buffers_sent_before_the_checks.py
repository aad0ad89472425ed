"""rank 0's buffers are sent before the units are checked: a refusal leaves those of the other ranks changed."""


class ShardedModel(ShardedModel):
    def __init__(self, module, *args, **kwargs):
        _rank_and_ranks()
        for buffer in module.buffers():
            dist.broadcast(buffer, 0)
        super().__init__(module, *args, **kwargs)
