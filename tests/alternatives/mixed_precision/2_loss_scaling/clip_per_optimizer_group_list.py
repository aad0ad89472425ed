"""clipping takes the parameters from the optimizer's groups instead of from the model."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    finite = all(bool(_on_all_ranks(p.grad.isfinite().all())) for p in parameters if p.grad is not None)
    if finite:
        if max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, max_grad_norm, foreach=False)
        scaler.step(optimizer)
    scaler.update()
    return finite
