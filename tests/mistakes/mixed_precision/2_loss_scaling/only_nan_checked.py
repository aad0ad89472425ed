"""the gradients are checked for nan only, so inf counts as a good step."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    finite = not any(bool(g.isnan().any()) for g in gradients)
    if finite:
        if max_grad_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(model.parameters(), max_grad_norm, norm)
        scaler.step(optimizer)
    scaler.update()
    return finite
