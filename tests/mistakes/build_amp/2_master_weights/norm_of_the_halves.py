"""the norm is that of the 16-bit gradients, in their dtype."""


def step(self, scale=1.0, max_grad_norm=None):
    _require_positive_finite("scale", scale)
    for master, half in zip(self._masters, self._halves, strict=True):
        master.grad = None if half.grad is None else half.grad.float() / scale
    gradients = [master.grad for master in self._masters if master.grad is not None]
    if not all(bool(torch.isfinite(gradient).all()) for gradient in gradients):
        return False
    if max_grad_norm is not None:
        norms = [half.grad.norm() for half in self._halves if half.grad is not None]
        norm = torch.stack(norms).norm() / scale
        torch._foreach_mul_(gradients, min(1.0, max_grad_norm / (norm.item() + 1e-6)))
    self._optimizer.step()
    self._round_into_model()
    return True


MasterWeights.step = step
