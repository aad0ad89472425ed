"""the norm is taken in float64."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g.double()) for g in gradients])).item()
    if math.isfinite(norm):
        if max_grad_norm is not None:
            torch._foreach_mul_(gradients, min(1.0, max_grad_norm / (norm + 1e-6)))
        scaler.step(optimizer)
    scaler.update()
    return math.isfinite(norm)
