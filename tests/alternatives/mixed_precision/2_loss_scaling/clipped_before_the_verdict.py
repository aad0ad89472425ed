"""PyTorch's recipe: unscale, clip, step. In a skipped step the clip by an infinite norm has spoilt the gradients."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    gradients = _gradients(optimizer)
    norm = torch.tensor(_total_norm(gradients))
    if max_grad_norm is not None:
        torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
    if scaler.is_enabled() or norm.isfinite():
        scaler.step(optimizer)
    scaler.update()
    return bool(norm.isfinite())
