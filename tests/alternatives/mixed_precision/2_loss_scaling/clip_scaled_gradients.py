"""the scaled gradients are clipped to max_grad_norm times the scale, and `scaler.step` unscales them."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scale = scaler.get_scale()
    limit = math.inf if max_grad_norm is None else max_grad_norm * scale
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    stepped = math.isfinite(norm)
    if stepped:
        torch.nn.utils.clip_grads_with_norm_(model.parameters(), limit, norm)
    if stepped or scaler.is_enabled():
        scaler.step(optimizer)
    scaler.update()
    return stepped
