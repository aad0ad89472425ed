"""the scaled gradients are clipped to max_grad_norm times the scale, and `scaler.step` unscales them."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scale = scaler.get_scale()
    limit = math.inf if max_grad_norm is None else max_grad_norm * scale
    norm = torch.tensor(_total_norm(_gradients(optimizer)))
    stepped = math.isfinite(norm)
    if stepped:
        torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), limit, norm)
    if stepped or scaler.is_enabled():
        scaler.step(optimizer)
    scaler.update()
    return stepped
