"""the masters are rounded to bfloat16 first, also for a float16 model."""


def _round_into_model(self):
    with torch.no_grad():
        for half, master in zip(self._halves, self._masters, strict=True):
            half.copy_(master.bfloat16())


MasterWeights._round_into_model = _round_into_model
