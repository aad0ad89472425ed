"""`any` stands where `all` is meant: one finite entry makes a gradient good."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    gradients = _gradients(optimizer)
    norm = torch.tensor(_total_norm(gradients))
    finite = all(bool(g.isfinite().any()) for g in gradients)
    if finite:
        if max_grad_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
        scaler.step(optimizer)
    scaler.update()
    return finite
