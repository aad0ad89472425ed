"""the verdict is `bool(scaler.step(optimizer))`, which is the optimizer's return value: None."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.tensor(_total_norm(_gradients(optimizer)))
    if max_grad_norm is not None:
        torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
    stepped = bool(scaler.step(optimizer)) if scaler.is_enabled() or math.isfinite(norm) else False
    scaler.update()
    return stepped
