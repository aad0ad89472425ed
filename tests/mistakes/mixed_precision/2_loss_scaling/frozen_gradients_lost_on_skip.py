"""the gradients of frozen parameters are set aside during the step, and lost when a skipped step returns early."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    frozen = [p for p in _parameters(optimizer) if not p.requires_grad]
    held = [p.grad for p in frozen]
    for parameter in frozen:
        parameter.grad = None
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
    for parameter, gradient in zip(frozen, held, strict=True):
        parameter.grad = gradient
    return True
