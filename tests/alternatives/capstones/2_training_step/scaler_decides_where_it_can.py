"""an enabled scaler decides, seen by its scale; only without one the norm is looked at."""


def train_step(model, batch, optimizer, scheduler, scaler, dtype, max_grad_norm):
    source, target = batch
    model.train()
    for parameter in model.parameters():
        parameter.grad = None
    with torch.autocast(source.device.type, dtype, enabled=dtype != torch.float32):
        loss = sequence_loss(model(source, target[:, :-1]), target[:, 1:])
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    if scaler.is_enabled():
        before = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        stepped = scaler.get_scale() >= before
    else:
        stepped = math.isfinite(norm)
        if stepped:
            optimizer.step()
    if stepped:
        scheduler.step()
    return loss.detach().item(), stepped
