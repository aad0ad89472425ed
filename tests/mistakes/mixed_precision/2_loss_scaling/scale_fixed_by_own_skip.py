"""the gradients are unscaled and judged by hand and `update()` is left out, so the scale never changes."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    for parameter in _parameters(optimizer):
        if parameter.grad is not None:
            parameter.grad.div_(scaler.get_scale())
    norm = torch.tensor(_total_norm(_gradients(optimizer)))
    if max_grad_norm is not None:
        torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
    if math.isfinite(norm):
        optimizer.step()
    return math.isfinite(norm)
