"""gradients are multiplied by limit over norm by hand, where the norm is above the limit."""


def train_step(model, batch, optimizer, scheduler, scaler, dtype, max_grad_norm):
    source, target = batch
    model.train()
    optimizer.zero_grad()
    with torch.autocast(source.device.type, dtype=dtype, enabled=dtype != torch.float32):
        loss = sequence_loss(model(source, target[:, :-1]), target[:, 1:])
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    gradients = [p.grad for p in [p for group in optimizer.param_groups for p in group["params"]] if p.grad is not None]
    norm = sum(gradient.double().square().sum() for gradient in gradients).sqrt()
    if norm > max_grad_norm:
        for gradient in gradients:
            gradient *= max_grad_norm / float(norm)
    stepped = bool(torch.isfinite(norm))
    if stepped:
        scaler.step(optimizer)
    scaler.update()
    if stepped:
        scheduler.step()
    return loss.item(), stepped
