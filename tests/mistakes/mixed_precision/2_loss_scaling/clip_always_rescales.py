"""gradients shorter than the limit are stretched to it."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.tensor(_total_norm(_gradients(optimizer)))
    finite = math.isfinite(norm)
    if finite:
        if max_grad_norm is not None:
            for parameter in _parameters(optimizer):
                if parameter.grad is not None:
                    parameter.grad.mul_(max_grad_norm / (norm + 1e-6))
        scaler.step(optimizer)
    scaler.update()
    return finite
