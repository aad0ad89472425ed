"""`half.data = ...` moves the model's parameters to new memory."""


def _round_into_model(self):
    with torch.no_grad():
        for half, master in zip(self._halves, self._masters, strict=True):
            half.data = master.detach().to(half.dtype)


MasterWeights._round_into_model = _round_into_model
