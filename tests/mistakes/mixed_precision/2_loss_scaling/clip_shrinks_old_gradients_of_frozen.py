"""clipping multiplies every gradient of the model, also those that frozen parameters still hold."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    with _frozen_set_aside(optimizer):
        scaler.unscale_(optimizer)
        norm = _total_norm(_gradients(optimizer))
        finite = math.isfinite(norm)
        if finite:
            if max_grad_norm is not None and norm > max_grad_norm:
                for parameter in model.parameters():
                    if parameter.grad is not None:
                        parameter.grad.mul_(max_grad_norm / norm)
            scaler.step(optimizer)
    scaler.update()
    return finite
