"""the gradients are divided and clipped in float64, and then made float32."""


def step(self, scale=1.0, max_grad_norm=None):
    _require_positive_finite("scale", scale)
    used = [(m, h) for m, h in zip(self._masters, self._halves, strict=True) if h.grad is not None]
    gradients = [half.grad.double() / scale for _, half in used]
    if not all(gradient.float().isfinite().all().item() for gradient in gradients):
        return False
    norm = math.sqrt(sum(gradient.square().sum().item() for gradient in gradients))
    if max_grad_norm is not None and norm > max_grad_norm:
        gradients = [gradient * (max_grad_norm / norm) for gradient in gradients]
    for (master, _), gradient in zip(used, gradients, strict=True):
        master.grad = gradient.float()
    self._optimizer.step()
    for master in self._masters:
        master.grad = None
    self._round_into_model()
    return True


MasterWeights.step = step
