"""`zero_grad` keeps the gradients of a step that was not made."""


def zero_grad(self):
    if all(half.grad is None or torch.isfinite(half.grad).all() for half in self._halves):
        for half in self._halves:
            half.grad = None


MasterWeights.zero_grad = zero_grad
