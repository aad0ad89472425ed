"""clipping and unscaling share one `if`, so a disabled scaler never clips."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    finite = math.isfinite(norm)
    if finite:
        if max_grad_norm is not None and scaler.is_enabled():
            torch.nn.utils.clip_grads_with_norm_(model.parameters(), max_grad_norm, norm)
        scaler.step(optimizer)
    scaler.update()
    return finite
