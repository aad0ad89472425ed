"""the gradients of frozen parameters are used although they are None."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters()])
    finite = math.isfinite(norm)
    if finite:
        if max_grad_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(model.parameters(), max_grad_norm, norm)
        scaler.step(optimizer)
    scaler.update()
    return finite
