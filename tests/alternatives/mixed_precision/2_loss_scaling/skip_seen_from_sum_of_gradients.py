"""a skip is seen from the sum of all gradients, which inf or nan spoils."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    total = 0.0
    for parameter in model.parameters():
        if parameter.grad is not None:
            gradient = parameter.grad.full_tensor() if hasattr(parameter.grad, "full_tensor") else parameter.grad
            total += gradient.double().sum().item()
    finite = math.isfinite(total)
    if finite and max_grad_norm is not None:
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    if finite or scaler.is_enabled():
        scaler.step(optimizer)
    scaler.update()
    return finite
