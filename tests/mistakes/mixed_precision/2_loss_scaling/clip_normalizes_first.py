"""clipping divides the gradients by their norm and multiplies by the smaller of norm and limit: zeros become nan."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    gradients = _gradients(optimizer)
    norm = _total_norm(gradients)
    finite = math.isfinite(norm)
    if finite:
        if max_grad_norm is not None:
            for gradient in gradients:
                gradient.div_(norm).mul_(min(norm, max_grad_norm))
        scaler.step(optimizer)
    scaler.update()
    return finite
