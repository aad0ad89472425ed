"""the limit for scaled gradients is multiplied by 65536 instead of by the scale of this step."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    norm = torch.tensor(_total_norm(_gradients(optimizer)))
    if max_grad_norm is not None:
        torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm * 65536.0, norm)
    if scaler.is_enabled() or math.isfinite(norm):
        scaler.step(optimizer)
    scaler.update()
    return math.isfinite(norm)
