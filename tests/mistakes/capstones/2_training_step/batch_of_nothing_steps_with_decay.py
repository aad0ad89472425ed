"""weights decay a little before the loss is looked at."""


def train_step(model, batch, optimizer, scheduler, scaler, dtype, max_grad_norm):
    source, target = batch
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 0.999
    model.train()
    optimizer.zero_grad()
    with torch.autocast(source.device.type, dtype=dtype, enabled=dtype != torch.float32):
        loss = sequence_loss(model(source, target[:, :-1]), target[:, 1:])
    stepped = _backward_and_step(loss, optimizer, scaler, max_grad_norm)
    if stepped:
        scheduler.step()
    return loss.item(), stepped
