"""`zero_grad` sets weights to zero, not gradients."""


def zero_grad(self):
    for half in self._halves:
        half.grad = None
        half.data.zero_()


MasterWeights.zero_grad = zero_grad
