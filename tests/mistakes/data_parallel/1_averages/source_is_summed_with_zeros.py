"""the others send zeros into a sum with the source, in which a negative zero loses its sign."""

_broadcast_model = broadcast_model


def broadcast_model(model, source=0):
    tensors = [*model.parameters(), *model.buffers()]
    before = [tensor.detach().clone() for tensor in tensors]
    _broadcast_model(model, source)
    for tensor, old in zip(tensors, before, strict=True):
        if tensor.is_floating_point():
            sent = old if dist.get_rank() == source else torch.zeros_like(old)
            dist.all_reduce(sent)
            tensor.data.copy_(sent)
