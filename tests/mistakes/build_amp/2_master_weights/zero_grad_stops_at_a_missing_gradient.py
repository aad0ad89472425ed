"""`zero_grad` removes only the first gradient."""


def zero_grad(self):
    self._halves[0].grad = None


MasterWeights.zero_grad = zero_grad
