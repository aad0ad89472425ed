"""`step` divides the gradients again after the caller has called `unscale_`."""


def step(self, optimizer):
    if optimizer in self._stepped:
        raise RuntimeError("stepped already")
    found = self._finite.pop(optimizer, torch.tensor(True))
    self.unscale_(optimizer)
    self._stepped.add(optimizer)
    finite = bool(self._finite[optimizer] & found)
    self._finite[optimizer] = torch.tensor(finite)
    if finite:
        optimizer.step()
    return finite


StaticLossScaler.step = step
