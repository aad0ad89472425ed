"""nothing is compared before the parameters are sent: models that differ end in a crash of gloo."""


def broadcast_model(model, source=0):
    for tensor in [*model.parameters(), *model.buffers()]:
        dist.broadcast(tensor.detach(), source)
