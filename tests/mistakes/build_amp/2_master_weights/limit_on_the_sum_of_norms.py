"""the norms of the gradients are added up instead of squared."""


def step(self, scale=1.0, max_grad_norm=None):
    _require_positive_finite("scale", scale)
    for master, half in zip(self._masters, self._halves, strict=True):
        master.grad = None if half.grad is None else half.grad.float() / scale
    gradients = [master.grad for master in self._masters if master.grad is not None]
    if not all(bool(torch.isfinite(gradient).all()) for gradient in gradients):
        return False
    if max_grad_norm is not None:
        norm = sum(gradient.norm().item() for gradient in gradients)
        if norm > max_grad_norm:
            torch._foreach_mul_(gradients, max_grad_norm / norm)
    self._optimizer.step()
    self._round_into_model()
    return True


MasterWeights.step = step
