"""`scaler.step` is called for every step and skips by itself; only without a scaler do we skip."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm if max_grad_norm is not None else 1e30)
    skipped = not torch.isfinite(torch.as_tensor(float(norm)))
    if not (skipped and not scaler.is_enabled()):
        scaler.step(optimizer)
    scaler.update()
    return not skipped
