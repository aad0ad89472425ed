"""the true norm is the scaled one over the scale, and the gradients stay scaled until `scaler.step`."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    gradients = _gradients(optimizer)
    norm = float(torch.tensor(_total_norm(gradients))) / scaler.get_scale()
    if math.isfinite(norm) and max_grad_norm is not None and norm > max_grad_norm:
        for gradient in gradients:
            gradient.mul_(max_grad_norm / norm)
    if scaler.is_enabled() or math.isfinite(norm):
        scaler.step(optimizer)
    scaler.update()
    return math.isfinite(norm)
