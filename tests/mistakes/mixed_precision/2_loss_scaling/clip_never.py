"""`max_grad_norm` is accepted and never used."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.tensor(_total_norm(_gradients(optimizer)))
    finite = math.isfinite(norm)
    if finite:
        scaler.step(optimizer)
    scaler.update()
    return finite
