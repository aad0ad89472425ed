"""gradients whose float32 norm is inf are stepped with unclipped."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    with _frozen_set_aside(optimizer):
        scaler.unscale_(optimizer)
        finite = math.isfinite(_total_norm(_gradients(optimizer)))
        if finite:
            if max_grad_norm is not None:
                norm = _on_all_ranks(torch.nn.utils.get_total_norm(_gradients(optimizer)))
                if norm.isfinite():
                    torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
            scaler.step(optimizer)
    scaler.update()
    return finite
