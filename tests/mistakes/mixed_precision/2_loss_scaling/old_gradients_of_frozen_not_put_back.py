"""the gradients of frozen parameters are hidden during the step and lost."""


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
    for parameter in model.parameters():
        if not parameter.requires_grad:
            parameter.grad = None
    return finite
