"""the masters are views of one flat float32 buffer, and so are their gradients."""


def __init__(self, model, make_optimizer):
    self._halves = list(model.parameters())
    dtypes = {half.dtype for half in self._halves}
    if dtypes not in ({torch.float16}, {torch.bfloat16}):
        raise ValueError("the parameters must be all float16 or all bfloat16")
    self._flat = torch.cat([half.detach().float().view(-1) for half in self._halves])
    parts = self._flat.split([half.numel() for half in self._halves])
    self._masters = [nn.Parameter(part.view_as(half)) for part, half in zip(parts, self._halves, strict=True)]
    self._optimizer = make_optimizer(self._masters)


MasterWeights.__init__ = __init__
