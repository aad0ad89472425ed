"""the loss scale is never let fall below a thousandth."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    finite = math.isfinite(_total_norm(_gradients(optimizer)))
    if finite:
        if max_grad_norm is not None:
            norm = torch.tensor(_total_norm(_gradients(optimizer)))
            torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
        scaler.step(optimizer)
    scaler.update()
    if scaler.is_enabled() and scaler.get_scale() < 1e-3:
        scaler.update(1e-3)
    return finite
