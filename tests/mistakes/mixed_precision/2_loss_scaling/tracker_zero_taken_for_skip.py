"""a growth tracker of 0 counts as a skip, but it is 0 after a growth too."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), math.inf if max_grad_norm is None else max_grad_norm)
    if not scaler.is_enabled():
        if math.isfinite(norm):
            optimizer.step()
        return math.isfinite(norm)
    scaler.step(optimizer)
    scaler.update()
    return scaler.state_dict()["_growth_tracker"] > 0
