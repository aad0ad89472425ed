"""buckets are slices of one tensor for each dtype that is sent, and gradients become views of it."""


@torch.no_grad()
def average_in_buckets(model, cap_bytes, dtype=None):
    ranks = dist.get_world_size()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    buckets = [[trained[index] for index in bucket] for bucket in make_buckets(trained, cap_bytes)]
    sizes = [sum(one.numel() for one in bucket) for bucket in buckets]
    wires = [dtype or bucket[0].dtype for bucket in buckets]
    arenas = {
        wire: torch.empty(sum(size for size, other in zip(sizes, wires, strict=True) if other == wire), dtype=wire)
        for wire in wires
    }
    used = dict.fromkeys(arenas, 0)
    for bucket, size, wire in zip(buckets, sizes, wires, strict=True):
        flat = arenas[wire][used[wire] : used[wire] + size]
        used[wire] += size
        parts = flat.split([one.numel() for one in bucket])
        for one, part in zip(bucket, parts, strict=True):
            wide = torch.promote_types(one.dtype, wire)
            part.copy_(torch.zeros(()) if one.grad is None else one.grad.reshape(-1).to(wide) / ranks)
        dist.all_reduce(flat)
        for one, part in zip(bucket, parts, strict=True):
            one.grad = part.view(one.shape).to(one.dtype)
