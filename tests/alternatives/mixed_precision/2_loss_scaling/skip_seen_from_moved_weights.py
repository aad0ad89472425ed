"""a step is seen from weights that moved."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    def values():
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        return [(p.full_tensor() if hasattr(p, "full_tensor") else p).detach().clone() for p in parameters]

    before = values()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), math.inf if max_grad_norm is None else max_grad_norm)
    if scaler.is_enabled() or math.isfinite(norm):
        scaler.step(optimizer)
    scaler.update()
    return not all(map(torch.equal, before, values()))
