"""with a disabled scaler a separate branch makes the plain step."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    def clipped_norm():
        limit = math.inf if max_grad_norm is None else max_grad_norm
        return float(torch.nn.utils.clip_grad_norm_(model.parameters(), limit))

    if not scaler.is_enabled():
        loss.backward()
        if not math.isfinite(clipped_norm()):
            return False
        optimizer.step()
        return True
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = clipped_norm()
    scaler.step(optimizer)
    scaler.update()
    return math.isfinite(norm)
