"""models are compared by the digest of a description that each rank gathers as bytes."""

import hashlib


def broadcast_model(model, source=0):
    named = [*model.parameters(), *model.buffers()]
    text = "|".join(f"{list(one.shape)}{one.dtype}{one.requires_grad}" for one in named)
    own = torch.tensor(list(hashlib.sha256(text.encode()).digest()), dtype=torch.uint8)
    digests = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(digests, own)
    odd = [rank for rank, digest in enumerate(digests) if not torch.equal(digest, digests[source])]
    if odd:
        raise ValueError(f"rank {odd[0]} has another model than rank {source}")
    with torch.no_grad():
        for tensor in named:
            dist.broadcast(tensor, source)
