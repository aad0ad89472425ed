"""sums are divided when they arrive, but for what is cast and for float16, which might overflow."""


def average_in_buckets(model, cap_bytes, dtype=None):
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    ranks, waiting = dist.get_world_size(), []
    for bucket in make_buckets(trained, cap_bytes):
        some = [_gradient(trained[index]) for index in bucket]
        flat = torch.cat([one.flatten() for one in some])
        before = 1 if dtype in (None, flat.dtype) and flat.dtype != torch.float16 else ranks
        sent = (flat.to(torch.promote_types(flat.dtype, dtype or flat.dtype)) / before).to(dtype or flat.dtype)
        waiting.append((some, sent, ranks / before, dist.all_reduce(sent, async_op=True)))
    for some, sent, after, work in waiting:
        work.wait()
        start = 0
        for one in some:
            wide = sent[start : start + one.numel()].to(torch.promote_types(sent.dtype, torch.float32))
            one.copy_((wide / after).view_as(one))
            start += one.numel()
