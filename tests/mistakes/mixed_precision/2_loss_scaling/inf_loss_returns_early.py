"""a loss that is inf or nan returns before backward, so the scale does not back off."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    if not loss.isfinite():
        return False
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    if math.isfinite(norm):
        if max_grad_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(model.parameters(), max_grad_norm, norm)
        scaler.step(optimizer)
    scaler.update()
    return math.isfinite(norm)
