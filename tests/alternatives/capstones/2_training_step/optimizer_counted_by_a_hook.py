"""a hook on the optimizer tells whether it has stepped; gradients that are not finite are removed."""


def train_step(model, batch, optimizer, scheduler, scaler, dtype, max_grad_norm):
    source, target = batch
    model.train(True)
    model.zero_grad()
    taken = []
    handle = optimizer.register_step_post_hook(lambda *_: taken.append(True))
    try:
        with torch.autocast(source.device.type, dtype=dtype, enabled=dtype != torch.float32):
            logits = model(source, target[:, :-1])
            loss = sequence_loss(logits, target[:, 1:])
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        norm = nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
        if scaler.is_enabled() or not (norm.isnan() or norm.isinf()):
            scaler.step(optimizer)
        scaler.update()
    finally:
        handle.remove()
    if taken:
        scheduler.step()
    return loss.item(), bool(taken)
