"""the scheduler moves before each taken step instead of after it."""


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
    if stepped:
        scheduler.step()
        scaler.step(optimizer)
    scaler.update()
    return loss.item(), stepped
