"""scaled gradients are clipped to max_grad_norm / scale instead of max_grad_norm * scale."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    norm = torch.tensor(_total_norm(_gradients(optimizer)))
    if max_grad_norm is not None:
        torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm / scaler.get_scale(), norm)
    if scaler.is_enabled() or math.isfinite(norm):
        scaler.step(optimizer)
    scaler.update()
    return math.isfinite(norm)
