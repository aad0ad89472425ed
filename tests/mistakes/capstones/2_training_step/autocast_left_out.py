"""there is no autocast region."""


def train_step(model, batch, optimizer, scheduler, scaler, dtype, max_grad_norm):
    source, target = batch
    model.train()
    optimizer.zero_grad()
    loss = sequence_loss(model(source, target[:, :-1]), target[:, 1:])
    stepped = _backward_and_step(loss, optimizer, scaler, max_grad_norm)
    if stepped:
        scheduler.step()
    return loss.item(), stepped
