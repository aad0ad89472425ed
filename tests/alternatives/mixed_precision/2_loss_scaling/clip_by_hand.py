"""the clipping is written by hand and touches the gradients only if they are too long."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    squares = [gradient.double().square().sum() for gradient in gradients]
    norm = math.sqrt(sum((s.full_tensor() if hasattr(s, "full_tensor") else s).item() for s in squares))
    if math.isfinite(norm):
        if max_grad_norm is not None and norm > max_grad_norm:
            for gradient in gradients:
                gradient.mul_(max_grad_norm / norm)
        scaler.step(optimizer)
    scaler.update()
    return math.isfinite(norm)
