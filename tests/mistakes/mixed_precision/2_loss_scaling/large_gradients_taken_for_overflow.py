"""float32 gradients above 65504 count as an overflow, although float32 holds them."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    gradients = _gradients(optimizer)
    norm = torch.tensor(_total_norm(gradients))
    finite = all(bool((g.abs() <= 65504).all()) for g in gradients)
    if finite:
        if max_grad_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
        scaler.step(optimizer)
    scaler.update()
    return finite
