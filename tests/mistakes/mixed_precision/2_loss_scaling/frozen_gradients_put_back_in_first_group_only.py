"""the gradients of frozen parameters come back in the optimizer's first group only."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    frozen = [[p for p in group["params"] if not p.requires_grad] for group in optimizer.param_groups]
    held = [p.grad for p in frozen[0]]
    for parameter in (p for group in frozen for p in group):
        parameter.grad = None
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    gradients = _gradients(optimizer)
    norm = _total_norm(gradients)
    finite = math.isfinite(norm)
    if finite:
        if max_grad_norm is not None and norm > max_grad_norm:
            for gradient in gradients:
                gradient.mul_(max_grad_norm / norm)
        scaler.step(optimizer)
    scaler.update()
    for parameter, gradient in zip(frozen[0], held, strict=True):
        parameter.grad = gradient
    return finite
