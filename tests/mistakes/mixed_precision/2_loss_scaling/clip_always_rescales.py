"""gradients shorter than the limit are stretched to it."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    finite = math.isfinite(norm)
    if finite:
        if max_grad_norm is not None:
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter.grad.mul_(max_grad_norm / (norm + 1e-6))
        scaler.step(optimizer)
    scaler.update()
    return finite
