"""with a disabled scaler nothing looks at the gradients, so inf and nan reach the weights."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    before = scaler.get_scale()
    scaler.scale(loss).backward()
    if max_grad_norm is not None:
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    scaler.step(optimizer)
    scaler.update()
    return scaler.get_scale() >= before
