"""a skipped step throws the optimizer's state away."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    with _frozen_set_aside(optimizer):
        scaler.unscale_(optimizer)
        gradients = _gradients(optimizer)
        norm = _total_norm(gradients)
        finite = math.isfinite(norm)
        if finite:
            if max_grad_norm is not None and norm > max_grad_norm:
                for gradient in gradients:
                    gradient.mul_(max_grad_norm / norm)
            scaler.step(optimizer)
    if not finite:
        optimizer.state.clear()
    scaler.update()
    return finite
