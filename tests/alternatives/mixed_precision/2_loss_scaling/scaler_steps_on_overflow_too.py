"""`scaler.step` is called for every step and skips by itself; only without a scaler do we skip."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = _total_norm(_gradients(optimizer))
    if max_grad_norm is not None:
        torch.nn.utils.clip_grad_norm_(_parameters(optimizer), max_grad_norm)
    skipped = not torch.isfinite(torch.as_tensor(float(norm)))
    if not (skipped and not scaler.is_enabled()):
        scaler.step(optimizer)
    scaler.update()
    return not skipped
