"""the masters are rounded to float16 first, also for a bfloat16 model."""


def _round_into_model(self):
    with torch.no_grad():
        for half, master in zip(self._halves, self._masters, strict=True):
            half.copy_(master.half())


MasterWeights._round_into_model = _round_into_model
