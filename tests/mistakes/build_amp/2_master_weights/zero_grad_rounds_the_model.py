"""`zero_grad` makes the masters again from the model's weights."""


def zero_grad(self):
    for half, master in zip(self._halves, self._masters, strict=True):
        half.grad = None
        master.data.copy_(half.detach())


MasterWeights.zero_grad = zero_grad
