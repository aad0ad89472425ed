"""the loss is multiplied by `get_scale()`, so the scaler's own scale does not exist yet at the first unscale_."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    (loss * scaler.get_scale()).backward()
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    finite = math.isfinite(norm)
    if finite:
        if max_grad_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(model.parameters(), max_grad_norm, norm)
        scaler.step(optimizer)
    scaler.update()
    return finite
