"""the masters are cut to 16 bits instead of rounded."""


def _round_into_model(self):
    with torch.no_grad():
        for half, master in zip(self._halves, self._masters, strict=True):
            cut = 16 if half.dtype == torch.bfloat16 else 13
            bits = master.view(torch.int32) >> cut << cut
            half.copy_(bits.view(torch.float32))


MasterWeights._round_into_model = _round_into_model
