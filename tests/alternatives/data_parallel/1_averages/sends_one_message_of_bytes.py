"""everything goes in one message of bytes, and is copied back from there."""


def broadcast_model(model, source=0):
    named = [("parameter", one) for one in model.parameters()] + [("buffer", one) for one in model.buffers()]
    own = [(kind, tuple(one.shape), str(one.dtype), one.requires_grad) for kind, one in named]
    everyone = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, own)
    odd = [rank for rank, other in enumerate(everyone) if other != everyone[source]]
    if odd:
        raise ValueError(f"rank {odd[-1]} has another model than the source, rank {source}")
    parts = [one.detach().reshape(-1).view(torch.uint8) for _, one in named]
    message = torch.cat(parts)
    dist.broadcast(message, source)
    for (_, one), part in zip(named, message.split([part.numel() for part in parts]), strict=True):
        one.data.copy_(part.clone().view(one.dtype).view(one.shape))
