"""make_optimizer is called once for each master."""


def __init__(self, model, make_optimizer):
    self._halves = list(model.parameters())
    dtypes = {half.dtype for half in self._halves}
    if dtypes not in ({torch.float16}, {torch.bfloat16}):
        raise ValueError("the parameters must be all float16 or all bfloat16")
    self._masters = [nn.Parameter(half.detach().float(), half.requires_grad) for half in self._halves]
    optimizers = [make_optimizer([master]) for master in self._masters]
    self._optimizer = optimizers[0]
    for other in optimizers[1:]:
        for group in other.param_groups:
            self._optimizer.add_param_group({"params": group["params"]})


MasterWeights.__init__ = __init__
