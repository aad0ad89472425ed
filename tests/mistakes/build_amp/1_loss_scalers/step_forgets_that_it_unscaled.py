"""after `step` the optimizer counts as new, and `unscale_` divides its gradients again."""

_step = StaticLossScaler.step


def step(self, optimizer):
    finite = _step(self, optimizer)
    del self._finite[optimizer]
    if not finite:
        self._finite[object()] = torch.tensor(False)
    return finite


StaticLossScaler.step = step
