"""with the scaler off, a norm beyond float32 is taken for an overflow."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = _on_all_ranks(torch.nn.utils.get_total_norm(_gradients(optimizer)))
    finite = math.isfinite(norm) if not scaler.is_enabled() else math.isfinite(_total_norm(_gradients(optimizer)))
    if finite:
        if max_grad_norm is not None:
            norm = norm
            torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
        scaler.step(optimizer)
    scaler.update()
    return finite
