"""a skip is seen from the norm that clip_grad_norm_ returns, with an infinite limit if none is asked for."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.tensor(_total_norm(_gradients(optimizer)))
    if max_grad_norm is not None:
        torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
    if finite := bool(norm.isfinite()):
        scaler.step(optimizer)
    scaler.update()
    return finite
