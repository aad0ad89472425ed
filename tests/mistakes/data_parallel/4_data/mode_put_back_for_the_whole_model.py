"""the model's mode is put back at the end for all of it, also for a part in another mode."""

_train_step = train_step


def train_step(model, *args, **kwargs):
    loss = _train_step(model, *args, **kwargs)
    model.train(model.training)
    return loss
