"""update() comes before the step."""


def train_step(model, batch, optimizer, scheduler, scaler, dtype, max_grad_norm):
    source, target = batch
    model.train()
    optimizer.zero_grad()
    with torch.autocast(source.device.type, dtype=dtype, enabled=dtype != torch.float32):
        loss = sequence_loss(model(source, target[:, :-1]), target[:, 1:])
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], max_grad_norm)
    stepped = bool(torch.isfinite(norm))
    scaler.update()
    if stepped:
        optimizer.step()
    if scaler.is_enabled() and not stepped:
        scaler.update(scaler.get_scale() / 2)
    if stepped:
        scheduler.step()
    return loss.item(), stepped
