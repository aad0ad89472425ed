"""gradients are divided only if all are finite, and a second call finds nothing divided to refuse."""

_unscale = StaticLossScaler.unscale_


def unscale_(self, optimizer):
    gradients = [parameter.grad for parameter in _parameters_of_optimizer(optimizer) if parameter.grad is not None]
    flags = [torch.isfinite(gradient).all() for gradient in gradients]
    if gradients and not torch.stack(flags).all():
        self._finite[optimizer] = torch.tensor(False)
    else:
        _unscale(self, optimizer)


StaticLossScaler.unscale_ = unscale_
