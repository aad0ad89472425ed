"""every rank keeps all weights, and the gradients are averaged as in data parallel training."""


class ShardedModel(ShardedModel):
    def __init__(self, module, units=None, param_dtype=None, reduce_dtype=torch.float32, reshard=True):
        nn.Module.__init__(self)
        _rank_and_ranks()
        self.module = nn.parallel.DistributedDataParallel(module)

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)

    def shards(self):
        return list(self.module.parameters())
