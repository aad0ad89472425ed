"""every rank judges its own gradients, and the verdicts are combined by an all-reduce."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    finite = torch.tensor(1.0, device=loss.device)
    for gradient in gradients:
        local = gradient.to_local() if isinstance(gradient, DTensor) else gradient
        finite = finite * local.isfinite().all()
    if dist.is_initialized():
        dist.all_reduce(finite, dist.ReduceOp.MIN)
    stepped = bool(finite)
    if stepped:
        if max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
        scaler.step(optimizer)
    scaler.update()
    return stepped
