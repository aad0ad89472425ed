"""the gradients are checked for nan only, so inf counts as a good step."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    gradients = _gradients(optimizer)
    norm = torch.tensor(_total_norm(gradients))
    finite = not any(bool(g.isnan().any()) for g in gradients)
    if finite:
        if max_grad_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
        scaler.step(optimizer)
    scaler.update()
    return finite
