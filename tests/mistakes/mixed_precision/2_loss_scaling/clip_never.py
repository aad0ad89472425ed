"""`max_grad_norm` is accepted and never used."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    finite = math.isfinite(norm)
    if finite:
        scaler.step(optimizer)
    scaler.update()
    return finite
