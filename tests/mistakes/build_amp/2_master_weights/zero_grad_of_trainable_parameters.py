"""`zero_grad` leaves the gradients of parameters that are frozen by now."""


def zero_grad(self):
    for half in self._halves:
        half.grad = None if half.requires_grad else half.grad


MasterWeights.zero_grad = zero_grad
