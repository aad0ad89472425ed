"""a call of `optimizer.step` is taken for a step, though a fused optimizer is called in skipped steps too."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    calls, original = [], optimizer.step

    def counted(*args, **kwargs):
        calls.append(True)
        return original(*args, **kwargs)

    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.tensor(_total_norm(_gradients(optimizer)))
    if max_grad_norm is not None:
        torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
    optimizer.step = counted
    try:
        if scaler.is_enabled() or math.isfinite(norm):
            scaler.step(optimizer)
    finally:
        optimizer.step = original
    scaler.update()
    return len(calls) == 1
