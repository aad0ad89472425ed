"""`zero_grad` sets the gradients to zero: they are still there, and weight decay moves unused parameters."""


def zero_grad(self):
    for half in self._halves:
        if half.grad is not None:
            half.grad.zero_()


MasterWeights.zero_grad = zero_grad
