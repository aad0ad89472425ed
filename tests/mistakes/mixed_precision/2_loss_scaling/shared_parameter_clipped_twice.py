"""a parameter that two modules share is clipped twice."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = _total_norm(_gradients(optimizer))
    finite = math.isfinite(norm)
    if finite:
        if max_grad_norm is not None and norm > max_grad_norm:
            for _, parameter in model.named_parameters(remove_duplicate=False):
                if parameter.grad is not None:
                    parameter.grad.mul_(max_grad_norm / norm)
        scaler.step(optimizer)
    scaler.update()
    return finite
