"""a limit below 0 is refused where it would clip, not in a step that is skipped."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    pass
    scaler.scale(loss).backward()
    with _frozen_set_aside(optimizer):
        scaler.unscale_(optimizer)
        finite = math.isfinite(_total_norm(_gradients(optimizer)))
        if finite:
            _check_limit(max_grad_norm)
            norm = _total_norm(_gradients(optimizer))
            if max_grad_norm is not None and norm > max_grad_norm:
                for gradient in _gradients(optimizer):
                    gradient.mul_(max_grad_norm / norm)
            scaler.step(optimizer)
    scaler.update()
    return finite
