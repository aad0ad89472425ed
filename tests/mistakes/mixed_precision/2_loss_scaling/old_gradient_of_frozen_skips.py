"""an inf that a parameter held when it was frozen skips every later step."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    finite = all(
        bool(_on_all_ranks(gradient.isfinite().all()))
        for gradient in [p.grad for p in model.parameters() if p.grad is not None]
    )
    if finite:
        if max_grad_norm is not None:
            norm = torch.tensor(_total_norm(_gradients(optimizer)))
            torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
        scaler.step(optimizer)
    scaler.update()
    return finite
