"""the old gradients of frozen parameters are noted and zeroed in place, so that zeros are put back."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    held = {p: p.grad for p in model.parameters() if not p.requires_grad and p.grad is not None}
    for gradient in held.values():
        gradient.zero_()
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
    for parameter, gradient in held.items():
        parameter.grad = gradient
    return finite
