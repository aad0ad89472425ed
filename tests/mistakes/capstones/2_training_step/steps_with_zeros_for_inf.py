"""inf and nan become 0, and the step is taken."""


def train_step(model, batch, optimizer, scheduler, scaler, dtype, max_grad_norm):
    source, target = batch
    model.train()
    optimizer.zero_grad()
    with torch.autocast(source.device.type, dtype=dtype, enabled=dtype != torch.float32):
        loss = sequence_loss(model(source, target[:, :-1]), target[:, 1:])
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad.nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)
    nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    stepped = True
    optimizer.step()
    scaler.update()
    if stepped:
        scheduler.step()
    return loss.item(), stepped
