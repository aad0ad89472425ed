"""the scaled gradients are clipped even if they overflowed: the nan that this leaves is still seen."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    norm = torch.tensor(_total_norm(_gradients(optimizer)))
    if max_grad_norm is not None:
        torch.nn.utils.clip_grad_norm_(_parameters(optimizer), max_grad_norm * scaler.get_scale())
    if math.isfinite(norm) or scaler.is_enabled():
        scaler.step(optimizer)
    scaler.update()
    return math.isfinite(norm)
