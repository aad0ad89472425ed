"""the master weights are a slice of the flat float32 vector of all parameters, which every rank keeps with it."""


class ShardedOptimizer(ShardedOptimizer):
    def __init__(self, parameters, optimizer_class, **defaults):
        self._rank, self._ranks = _rank_and_ranks()
        self._parameters = [parameter for parameter in parameters if parameter.requires_grad]
        whole = flatten(self._parameters, self._ranks)
        self._master = nn.Parameter(whole.float().chunk(self._ranks)[self._rank])
        self._dtype = whole.dtype
        self._optimizer = optimizer_class([self._master], **defaults)
