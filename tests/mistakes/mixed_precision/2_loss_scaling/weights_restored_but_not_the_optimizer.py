"""the optimizer always steps and a bad step is undone in the weights only: its own state keeps the nan."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), math.inf if max_grad_norm is None else max_grad_norm)
    before = [p.detach().clone() for p in model.parameters()]
    optimizer.step()
    if not math.isfinite(norm):
        for parameter, value in zip(model.parameters(), before, strict=True):
            parameter.data.copy_(value)
    scaler.update()
    return math.isfinite(norm)
