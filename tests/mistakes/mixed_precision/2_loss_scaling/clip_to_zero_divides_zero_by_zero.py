"""a limit of 0.0 over a norm of 0.0 is nan, and so are the gradients."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = _total_norm(_gradients(optimizer))
    finite = math.isfinite(norm)
    if finite:
        if max_grad_norm is not None and norm >= max_grad_norm:
            factor = torch.tensor(max_grad_norm) / torch.tensor(norm)
            for gradient in _gradients(optimizer):
                gradient.mul_(factor)
        scaler.step(optimizer)
    scaler.update()
    return finite
