"""the model is checked after make_optimizer was called, and an empty list is its error, not this one's."""


def __init__(self, model, make_optimizer):
    self._halves = list(model.parameters())
    make_optimizer([nn.Parameter(half.detach().float()) for half in self._halves])
    dtypes = {half.dtype for half in self._halves}
    if dtypes not in ({torch.float16}, {torch.bfloat16}):
        raise ValueError("the parameters must be all float16 or all bfloat16")
    self._masters = [nn.Parameter(half.detach().float(), half.requires_grad) for half in self._halves]
    self._optimizer = make_optimizer(self._masters)


MasterWeights.__init__ = __init__
