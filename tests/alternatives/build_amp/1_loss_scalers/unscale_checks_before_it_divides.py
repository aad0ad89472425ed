"""inf and nan are looked for before the gradients are divided, as torch's GradScaler does."""


def unscale_(self, optimizer):
    if optimizer in self._finite:
        raise RuntimeError("unscaled already since the last update()")
    flag = torch.ones((), dtype=torch.bool)
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None:
                flag &= parameter.grad.isfinite().all()
                parameter.grad.div_(self._scale)
    self._finite[optimizer] = flag


StaticLossScaler.unscale_ = unscale_
