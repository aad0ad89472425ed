"""frozen parameters are in the flat vector too, where weight decay moves them."""


class ShardedOptimizer(ShardedOptimizer):
    def __init__(self, parameters, optimizer_class, **defaults):
        self._rank, self._ranks = _rank_and_ranks()
        self._parameters = list(parameters)
        if not any(one.requires_grad for one in self._parameters):
            raise ValueError("no parameter trains")
        whole = flatten(self._parameters, self._ranks)
        self._master = nn.Parameter(shard(whole, self._rank, self._ranks).float())
        self._dtype = whole.dtype
        self._optimizer = optimizer_class([self._master], **defaults)
