"""autocast is switched off around backward and step."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    with torch.autocast(loss.device.type, enabled=False):
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), math.inf if max_grad_norm is None else max_grad_norm)
        if math.isfinite(norm):
            scaler.step(optimizer)
        scaler.update()
    return math.isfinite(norm)
