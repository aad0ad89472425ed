"""a skip is seen from the norm that clip_grad_norm_ returns, with an infinite limit if none is asked for."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), float("inf") if max_grad_norm is None else max_grad_norm)
    if finite := bool(norm.isfinite()):
        scaler.step(optimizer)
    scaler.update()
    return finite
