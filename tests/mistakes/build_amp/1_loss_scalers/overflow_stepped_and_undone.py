"""after an overflow the optimizer steps, and the weights are put back, but not its momentum."""


def step(self, optimizer):
    if optimizer in self._stepped:
        raise RuntimeError("stepped already")
    if optimizer not in self._finite:
        self.unscale_(optimizer)
    self._stepped.add(optimizer)
    finite = bool(self._finite[optimizer])
    before = [parameter.detach().clone() for parameter in _parameters_of_optimizer(optimizer)]
    optimizer.step()
    if not finite:
        with torch.no_grad():
            for parameter, weight in zip(_parameters_of_optimizer(optimizer), before, strict=True):
                parameter.copy_(weight)
    return finite


StaticLossScaler.step = step
