"""the region is for "cuda", whatever the device of the batch."""


def train_step(model, batch, optimizer, scheduler, scaler, dtype, max_grad_norm):
    source, target = batch
    model.train()
    optimizer.zero_grad()
    with torch.autocast("cuda", dtype=dtype, enabled=dtype != torch.float32 and torch.cuda.is_available()):
        loss = sequence_loss(model(source, target[:, :-1]), target[:, 1:])
    stepped = _backward_and_step(loss, optimizer, scaler, max_grad_norm)
    if stepped:
        scheduler.step()
    return loss.item(), stepped
