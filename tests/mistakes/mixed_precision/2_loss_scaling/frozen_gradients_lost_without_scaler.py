"""the gradients of frozen parameters are set aside, and put back by the branch of an enabled scaler only."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    frozen = [p for p in model.parameters() if not p.requires_grad]
    held = [p.grad for p in frozen]
    for parameter in frozen:
        parameter.grad = None
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    gradients = _gradients(optimizer)
    norm = _total_norm(gradients)
    finite = math.isfinite(norm)
    if finite and max_grad_norm is not None and norm > max_grad_norm:
        for gradient in gradients:
            gradient.mul_(max_grad_norm / norm)
    if not scaler.is_enabled():
        if finite:
            optimizer.step()
        return finite
    scaler.step(optimizer)
    scaler.update()
    for parameter, gradient in zip(frozen, held, strict=True):
        parameter.grad = gradient
    return finite
