"""the forward in float32 opens no region, and one of the caller's stays on."""

from contextlib import nullcontext


def train_step(model, batch, optimizer, scheduler, scaler, dtype, max_grad_norm):
    source, target = batch
    model.train()
    optimizer.zero_grad()
    with nullcontext() if dtype == torch.float32 else torch.autocast(source.device.type, dtype=dtype):
        loss = sequence_loss(model(source, target[:, :-1]), target[:, 1:])
    stepped = _backward_and_step(loss, optimizer, scaler, max_grad_norm)
    if stepped:
        scheduler.step()
    return loss.item(), stepped
