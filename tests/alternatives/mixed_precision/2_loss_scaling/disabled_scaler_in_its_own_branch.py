"""with a disabled scaler a separate branch makes the plain step."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)

    def clipped_norm():
        norm = _total_norm(_gradients(optimizer))
        if max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(_parameters(optimizer), max_grad_norm)
        return norm

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
