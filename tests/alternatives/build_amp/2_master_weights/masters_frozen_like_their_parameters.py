"""the master of a frozen parameter is frozen too."""


def __init__(self, model, make_optimizer):
    self._halves = list(model.parameters())
    dtypes = {half.dtype for half in self._halves}
    if dtypes not in ({torch.float16}, {torch.bfloat16}):
        raise ValueError("the parameters must be all float16 or all bfloat16")
    self._masters = [nn.Parameter(half.detach().float(), half.requires_grad) for half in self._halves]
    self._optimizer = make_optimizer(self._masters)


MasterWeights.__init__ = __init__
