"""`zero_grad` removes the gradients of the model and those of the masters."""


def zero_grad(self):
    for parameter in (*self._halves, *self._masters):
        parameter.grad = None


MasterWeights.zero_grad = zero_grad
