"""the limit is divided by the norm before the two are compared: ZeroDivisionError for gradients of zero."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    gradients = _gradients(optimizer)
    norm = _total_norm(gradients)
    finite = math.isfinite(norm)
    if finite:
        if max_grad_norm is not None:
            factor = min(1.0, max_grad_norm / norm)
            for gradient in gradients:
                gradient.mul_(factor)
        scaler.step(optimizer)
    scaler.update()
    return finite
