"""the scaled gradients are clipped even if they overflowed: the nan that this leaves is still seen."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    limit = math.inf if max_grad_norm is None else max_grad_norm * scaler.get_scale()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), limit)
    if math.isfinite(norm) or scaler.is_enabled():
        scaler.step(optimizer)
    scaler.update()
    return math.isfinite(norm)
