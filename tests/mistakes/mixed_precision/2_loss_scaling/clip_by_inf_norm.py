"""the limit is held against the largest gradient entry instead of the 2-norm."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.tensor(_total_norm(_gradients(optimizer)))
    finite = math.isfinite(norm)
    if finite:
        if max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(_parameters(optimizer), max_grad_norm, norm_type=math.inf)
        scaler.step(optimizer)
    scaler.update()
    return finite
