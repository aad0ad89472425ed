"""the gradients are divided by 65536 instead of by the scale of this step."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    for parameter in model.parameters():
        if parameter.grad is not None and scaler.is_enabled():
            parameter.grad.mul_(scaler.get_scale() / 65536.0)
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    finite = math.isfinite(norm)
    if finite:
        if max_grad_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(model.parameters(), max_grad_norm, norm)
        scaler.step(optimizer)
    scaler.update()
    return finite
