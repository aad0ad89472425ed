"""each entry has a call of its own, in which a digest travels as a tensor of bytes."""


def drifted(model):
    found = {}
    for name, value in model.state_dict().items():
        raw = value.detach().contiguous().view(-1).view(torch.uint8)
        own = torch.tensor(list(hashlib.blake2b(bytes(raw.tolist()), digest_size=32).digest()), dtype=torch.uint8)
        ranks = [torch.empty_like(own) for _ in range(dist.get_world_size())]
        dist.all_gather(ranks, own)
        digests = [bytes(one.tolist()) for one in ranks]
        counts = Counter(digests)
        usual = next(one for one in digests if counts[one] == max(counts.values()))
        odd = [rank for rank, one in enumerate(digests) if one != usual]
        if odd:
            found[name] = odd
    return found
