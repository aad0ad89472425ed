"""the model gets new Parameter objects in every step."""


def __init__(self, model, make_optimizer):
    self._model = model
    self._halves = list(model.parameters())
    dtypes = {half.dtype for half in self._halves}
    if dtypes not in ({torch.float16}, {torch.bfloat16}):
        raise ValueError("the parameters must be all float16 or all bfloat16")
    self._masters = [nn.Parameter(half.detach().float(), half.requires_grad) for half in self._halves]
    self._optimizer = make_optimizer(self._masters)


MasterWeights.__init__ = __init__


def _round_into_model(self):
    for name, half in list(self._model.named_parameters()):
        owner, _, attribute = name.rpartition(".")
        index = next(i for i, one in enumerate(self._halves) if one is half)
        new = nn.Parameter(self._masters[index].detach().to(half.dtype), half.requires_grad)
        new.grad = half.grad
        self._model.get_submodule(owner)._parameters[attribute] = new
        self._halves[index] = new


MasterWeights._round_into_model = _round_into_model
