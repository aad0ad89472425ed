"""sums are divided when they arrive, but for float16, which might overflow."""


def average_in_buckets(model, cap_bytes, dtype=None):
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    ranks, waiting = dist.get_world_size(), []
    for bucket in make_buckets(trained, cap_bytes):
        some = [_gradient(trained[index]) for index in bucket]
        flat = torch.cat([one.flatten() for one in some])
        before = ranks if torch.float16 in (dtype, flat.dtype) else 1
        sent = (flat.to(torch.promote_types(flat.dtype, dtype or flat.dtype)) / before).to(dtype or flat.dtype)
        waiting.append((some, sent, ranks / before, dist.all_reduce(sent, async_op=True)))
    for some, sent, after, work in waiting:
        work.wait()
        start = 0
        for one in some:
            one.copy_((sent[start : start + one.numel()].float() / after).view_as(one))
            start += one.numel()
