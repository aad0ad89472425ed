"""every entry of every gradient is checked, and the loss is computed outside the region."""


def train_step(model, batch, optimizer, scheduler, scaler, dtype, max_grad_norm):
    source, target = batch
    model.train()
    with torch.autocast(device_type=source.device.type, dtype=dtype, enabled=dtype in (torch.float16, torch.bfloat16)):
        logits = model(source, target[:, :-1].contiguous())
    loss = sequence_loss(logits, target[:, 1:].contiguous())
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    finite = all(bool(torch.isfinite(p.grad).all()) for p in model.parameters() if p.grad is not None)
    if finite:
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
        scaler.step(optimizer)
        scheduler.step()
    scaler.update()
    return float(loss), finite
