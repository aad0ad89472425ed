"""rank 0's parameters and buffers are sent before the units are checked: a refusal leaves the other ranks changed."""


class ShardedModel(ShardedModel):
    def __init__(self, module, *args, **kwargs):
        _rank_and_ranks()
        for tensor in [*module.parameters(), *module.buffers()]:
            dist.broadcast(tensor.detach(), 0)
        super().__init__(module, *args, **kwargs)
