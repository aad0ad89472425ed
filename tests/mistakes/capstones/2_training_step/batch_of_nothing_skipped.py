"""a batch without targets is skipped with a loss of 0."""

_step = train_step


def train_step(model, batch, optimizer, scheduler, scaler, dtype, max_grad_norm):
    if bool((batch[1][:, 1:] == PAD).all()):
        return 0.0, False
    return _step(model, batch, optimizer, scheduler, scaler, dtype, max_grad_norm)
