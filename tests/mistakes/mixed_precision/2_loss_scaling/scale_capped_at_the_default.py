"""the scale never grows above 65536."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    with _frozen_set_aside(optimizer):
        scaler.unscale_(optimizer)
        finite = math.isfinite(_total_norm(_gradients(optimizer)))
        if finite:
            norm = _total_norm(_gradients(optimizer))
            if max_grad_norm is not None and norm > max_grad_norm:
                for gradient in _gradients(optimizer):
                    gradient.mul_(max_grad_norm / norm)
            scaler.step(optimizer)
    scaler.update()
    if scaler.is_enabled() and scaler.get_scale() > 65536.0:
        scaler.update(65536.0)
    return finite
