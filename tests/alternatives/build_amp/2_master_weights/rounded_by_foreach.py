"""the masters are rounded into the model by one foreach operation."""


def _round_into_model(self):
    with torch.no_grad():
        torch._foreach_copy_(self._halves, self._masters)


MasterWeights._round_into_model = _round_into_model
