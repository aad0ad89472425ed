"""the optimizer's step hook is taken for a step, though a fused optimizer runs it in skipped steps too."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    steps = []
    hook = optimizer.register_step_post_hook(lambda *_: steps.append(True))
    try:
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        norm = torch.tensor(_total_norm(_gradients(optimizer)))
        if max_grad_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
        if scaler.is_enabled() or math.isfinite(norm):
            scaler.step(optimizer)
        scaler.update()
    finally:
        hook.remove()
    return bool(steps)
