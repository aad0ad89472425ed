"""only parameters whose master has a gradient are rounded into the model, and so none after loading."""


def _round_into_model(self):
    with torch.no_grad():
        for half, master in zip(self._halves, self._masters, strict=True):
            if master.grad is not None:
                half.copy_(master)


MasterWeights._round_into_model = _round_into_model
