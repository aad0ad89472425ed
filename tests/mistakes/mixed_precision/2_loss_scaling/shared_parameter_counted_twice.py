"""a parameter that two modules share counts twice in the norm."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    finite = math.isfinite(_total_norm(_gradients(optimizer)))
    if finite:
        if max_grad_norm is not None:
            norm = torch.nn.utils.get_total_norm(
                [p.grad for _, p in model.named_parameters(remove_duplicate=False) if p.grad is not None]
            )
            torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
        scaler.step(optimizer)
    scaler.update()
    return finite
