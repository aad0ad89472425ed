"""the gradients are zeroed after the step, although that is the caller's decision."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.tensor(_total_norm(_gradients(optimizer)))
    finite = math.isfinite(norm)
    if finite:
        if max_grad_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
        scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad()
    return finite
