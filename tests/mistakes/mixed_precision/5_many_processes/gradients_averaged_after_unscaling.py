"""gradients are unscaled and judged before they are averaged, so one rank's inf reaches the others unseen."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    synchronised = model.require_backward_grad_sync if isinstance(model, DistributedDataParallel) else None
    if synchronised is not None:
        model.require_backward_grad_sync = False
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    finite = math.isfinite(_on_all_ranks(torch.nn.utils.get_total_norm(gradients)))
    if synchronised is not None:
        for gradient in gradients:
            dist.all_reduce(gradient)
            gradient /= dist.get_world_size()
    if max_grad_norm is not None:
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    if finite:
        scaler.step(optimizer)
    scaler.update()
    return finite
