"""`optimizer.step()` is called instead of `scaler.step(optimizer)`, so inf and nan reach the weights."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), math.inf if max_grad_norm is None else max_grad_norm)
    optimizer.step()
    scaler.update()
    return math.isfinite(norm)
