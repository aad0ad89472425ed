"""a limit crashes if a trainable parameter has no gradient."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    with _frozen_set_aside(optimizer):
        scaler.unscale_(optimizer)
        finite = math.isfinite(_total_norm(_gradients(optimizer)))
        if finite:
            if max_grad_norm is not None:
                norm = (
                    torch.stack([_on_all_ranks(p.grad.norm()) for p in model.parameters() if p.requires_grad])
                    .norm()
                    .item()
                )
                if norm > max_grad_norm:
                    for gradient in _gradients(optimizer):
                        gradient.mul_(max_grad_norm / norm)
            scaler.step(optimizer)
    scaler.update()
    return finite
