"""every frozen parameter's old gradient is copied first and put back as the copy, whether the step is taken or not."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    frozen = [p for p in {*_parameters(optimizer), *model.parameters()} if not p.requires_grad and p.grad is not None]
    copies = [parameter.grad.clone() for parameter in frozen]
    for parameter in frozen:
        parameter.grad = None
    try:
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        gradients = _gradients(optimizer)
        norm = _total_norm(gradients)
        if not math.isfinite(norm):
            scaler.update()
            return False
        if max_grad_norm is not None and norm > max_grad_norm:
            for gradient in gradients:
                gradient.mul_(max_grad_norm / norm)
        scaler.step(optimizer)
        scaler.update()
        return True
    finally:
        for parameter, copy in zip(frozen, copies, strict=True):
            parameter.grad = copy
