"""the verdict is `bool(scaler.step(optimizer))`, which is the optimizer's return value: None."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), math.inf if max_grad_norm is None else max_grad_norm)
    stepped = bool(scaler.step(optimizer)) if scaler.is_enabled() or math.isfinite(norm) else False
    scaler.update()
    return stepped
