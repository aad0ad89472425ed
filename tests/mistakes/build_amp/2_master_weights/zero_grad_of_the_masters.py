"""`zero_grad` removes the gradients of the masters: the model's stay, also the inf of a skipped step."""


def zero_grad(self):
    self._optimizer.zero_grad()


MasterWeights.zero_grad = zero_grad
