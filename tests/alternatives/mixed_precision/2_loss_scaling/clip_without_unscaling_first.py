"""the true norm is the scaled one over the scale, and the gradients stay scaled until `scaler.step`."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm = float(torch.nn.utils.get_total_norm(gradients)) / scaler.get_scale()
    if math.isfinite(norm) and max_grad_norm is not None and norm > max_grad_norm:
        for gradient in gradients:
            gradient.mul_(max_grad_norm / norm)
    if scaler.is_enabled() or math.isfinite(norm):
        scaler.step(optimizer)
    scaler.update()
    return math.isfinite(norm)
