"""the optimizer always steps and a bad step is undone in the weights only: its own state keeps the nan."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.tensor(_total_norm(_gradients(optimizer)))
    if max_grad_norm is not None:
        torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
    before = [p.detach().clone() for p in _parameters(optimizer)]
    optimizer.step()
    if not math.isfinite(norm):
        for parameter, value in zip(_parameters(optimizer), before, strict=True):
            parameter.data.copy_(value)
    scaler.update()
    return math.isfinite(norm)
