"""clipping takes the parameters from the optimizer's groups instead of from the model."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    limit = math.inf if max_grad_norm is None else max_grad_norm
    finite = math.isfinite(torch.nn.utils.clip_grad_norm_(parameters, limit, foreach=False))
    if finite:
        scaler.step(optimizer)
    scaler.update()
    return finite
