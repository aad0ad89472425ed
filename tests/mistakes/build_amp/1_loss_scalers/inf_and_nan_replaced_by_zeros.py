"""inf and nan are replaced by zeros and the step is made, as in a widely copied handler."""


def unscale_(self, optimizer):
    if optimizer in self._finite:
        raise RuntimeError("unscaled already")
    for parameter in _parameters_of_optimizer(optimizer):
        if parameter.grad is not None:
            parameter.grad.mul_(1.0 / self._scale).nan_to_num_(0.0, 0.0, 0.0)
    self._finite[optimizer] = torch.tensor(True)


StaticLossScaler.unscale_ = unscale_
