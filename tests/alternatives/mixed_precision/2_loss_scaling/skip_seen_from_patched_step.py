"""a step is seen by wrapping `optimizer.step` for the time of the call."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    calls, original = [], optimizer.step

    def counted(*args, **kwargs):
        calls.append(True)
        return original(*args, **kwargs)

    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), math.inf if max_grad_norm is None else max_grad_norm)
    optimizer.step = counted
    try:
        if scaler.is_enabled() or math.isfinite(norm):
            scaler.step(optimizer)
    finally:
        optimizer.step = original
    scaler.update()
    return len(calls) == 1
