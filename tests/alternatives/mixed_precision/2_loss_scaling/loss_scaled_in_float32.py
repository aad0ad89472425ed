"""the loss is cast to float32 before it is scaled."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss.float()).backward()
    scaler.unscale_(optimizer)
    norm = torch.tensor(_total_norm(_gradients(optimizer)))
    if max_grad_norm is not None:
        torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
    finite = math.isfinite(norm)
    if finite:
        scaler.step(optimizer)
    scaler.update()
    return finite
