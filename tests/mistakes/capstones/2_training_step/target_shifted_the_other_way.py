"""the model sees the target without its first token, and learns the token before."""


def train_step(model, batch, optimizer, scheduler, scaler, dtype, max_grad_norm):
    source, target = batch
    model.train()
    optimizer.zero_grad()
    with torch.autocast(source.device.type, dtype=dtype, enabled=dtype != torch.float32):
        loss = sequence_loss(model(source, target[:, 1:]), target[:, :-1])
    stepped = _backward_and_step(loss, optimizer, scaler, max_grad_norm)
    if stepped:
        scheduler.step()
    return loss.item(), stepped
