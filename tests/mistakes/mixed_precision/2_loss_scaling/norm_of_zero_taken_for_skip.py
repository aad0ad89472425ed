"""gradients of zero are taken for a failed backward pass, and skip the step."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    gradients = _gradients(optimizer)
    norm = _total_norm(gradients)
    finite = 0.0 < norm < math.inf
    if finite:
        if max_grad_norm is not None and norm > max_grad_norm:
            for gradient in gradients:
                gradient.mul_(max_grad_norm / norm)
        scaler.step(optimizer)
    scaler.update()
    return finite
