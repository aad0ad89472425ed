"""parameters without a gradient get zeros, so weight decay and momentum move them."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    for parameter in _parameters(optimizer):
        if parameter.requires_grad and parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    scaler.unscale_(optimizer)
    norm = torch.tensor(_total_norm(_gradients(optimizer)))
    finite = math.isfinite(norm)
    if finite:
        if max_grad_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
        scaler.step(optimizer)
    scaler.update()
    return finite
