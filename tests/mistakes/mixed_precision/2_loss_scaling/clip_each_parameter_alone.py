"""each parameter's gradient is clipped by its own norm instead of all by one norm."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    finite = math.isfinite(norm)
    if finite:
        if max_grad_norm is not None:
            for parameter in model.parameters():
                torch.nn.utils.clip_grad_norm_(parameter, max_grad_norm)
        scaler.step(optimizer)
    scaler.update()
    return finite
