"""each bucket is waited for before the next one is sent, and gradients are replaced."""


def average_in_buckets(model, cap_bytes, dtype=None):
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    buckets, ranks = make_buckets(trained, cap_bytes), dist.get_world_size()
    for bucket in buckets:
        some = [trained[index] for index in bucket]
        flat = torch.cat([_gradient(one).reshape(-1) for one in some])
        sent = (flat.to(torch.promote_types(flat.dtype, torch.float32)) / ranks).to(dtype or flat.dtype)
        dist.all_reduce(sent)
        for one, part in zip(some, sent.to(flat.dtype).split([one.numel() for one in some]), strict=True):
            one.grad = part.clone().view(one.shape)
