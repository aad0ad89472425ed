"""after an overflow the optimizer steps with gradients of zeros, and its momentum goes on."""


def step(self, optimizer):
    if optimizer in self._stepped:
        raise RuntimeError("stepped already")
    if optimizer not in self._finite:
        self.unscale_(optimizer)
    self._stepped.add(optimizer)
    finite = bool(self._finite[optimizer])
    if not finite:
        for parameter in _parameters_of_optimizer(optimizer):
            parameter.grad.zero_()
    optimizer.step()
    return finite


StaticLossScaler.step = step
