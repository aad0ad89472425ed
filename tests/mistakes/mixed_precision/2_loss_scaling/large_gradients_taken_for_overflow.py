"""gradients beyond 1e20 are taken for an overflow."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    finite = _total_norm(_gradients(optimizer)) < 1e20
    if finite:
        if max_grad_norm is not None:
            norm = torch.tensor(_total_norm(_gradients(optimizer)))
            torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
        scaler.step(optimizer)
    scaler.update()
    return finite
