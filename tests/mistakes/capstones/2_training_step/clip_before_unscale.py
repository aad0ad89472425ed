"""scaled gradients are clipped, and unscaled afterwards."""


def train_step(model, batch, optimizer, scheduler, scaler, dtype, max_grad_norm):
    source, target = batch
    model.train()
    optimizer.zero_grad()
    with torch.autocast(source.device.type, dtype=dtype, enabled=dtype != torch.float32):
        loss = sequence_loss(model(source, target[:, :-1]), target[:, 1:])
    scaler.scale(loss).backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    scaler.unscale_(optimizer)
    stepped = bool(torch.isfinite(norm))
    if stepped:
        scaler.step(optimizer)
    scaler.update()
    if stepped:
        scheduler.step()
    return loss.item(), stepped
