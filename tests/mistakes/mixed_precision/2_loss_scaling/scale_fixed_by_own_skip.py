"""the gradients are unscaled and judged by hand and `update()` is left out, so the scale never changes."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad.div_(scaler.get_scale())
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), math.inf if max_grad_norm is None else max_grad_norm)
    if math.isfinite(norm):
        optimizer.step()
    return math.isfinite(norm)
