"""a step is seen from the optimizer's own hook."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    steps = []
    hook = optimizer.register_step_post_hook(lambda *_: steps.append(True))
    try:
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), math.inf if max_grad_norm is None else max_grad_norm)
        if scaler.is_enabled() or math.isfinite(norm):
            scaler.step(optimizer)
        scaler.update()
    finally:
        hook.remove()
    return bool(steps)
