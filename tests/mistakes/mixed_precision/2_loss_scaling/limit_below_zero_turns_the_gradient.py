"""a limit below 0 turns the gradient around."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    finite = math.isfinite(_total_norm(_gradients(optimizer)))
    if finite:
        if max_grad_norm is not None:
            norm = torch.tensor(_total_norm(_gradients(optimizer)))
            torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
        scaler.step(optimizer)
    scaler.update()
    return finite
