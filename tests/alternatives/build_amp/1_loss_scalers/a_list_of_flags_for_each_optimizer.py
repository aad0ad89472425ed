"""the flags of each optimizer are kept as a list, and combined in `step` and `update`."""


class _Flags(list):
    def __bool__(self):
        return all(bool(flag) for flag in self)


def unscale_(self, optimizer):
    if optimizer in self._finite:
        raise RuntimeError("unscaled already since the last update()")
    flags = _Flags()
    for parameter in _parameters_of_optimizer(optimizer):
        if parameter.grad is not None:
            parameter.grad.mul_(1.0 / self._scale)
            flags.append(torch.isfinite(parameter.grad).all())
    self._finite[optimizer] = flags


StaticLossScaler.unscale_ = unscale_
