"""with the scaler off each rank judges its own shard of the gradients."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    gradients = _gradients(optimizer)
    if scaler.is_enabled():
        finite = math.isfinite(_total_norm(gradients))
    else:
        shards = [gradient.to_local() if isinstance(gradient, DTensor) else gradient for gradient in gradients]
        finite = all(bool(one.isfinite().all()) for one in shards)
    if max_grad_norm is not None:
        torch.nn.utils.clip_grad_norm_(_parameters(optimizer), max_grad_norm)
    if finite:
        scaler.step(optimizer)
    scaler.update()
    return finite
