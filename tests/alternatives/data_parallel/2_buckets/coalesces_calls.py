"""a bucket's gradients are sent by the coalescing manager, without a flat tensor."""


def average_in_buckets(model, cap_bytes, dtype=None):
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    buckets = make_buckets(trained, cap_bytes)
    ranks = dist.get_world_size()
    for bucket in buckets:
        sent = []
        for index in bucket:
            gradient = _gradient(trained[index])
            own = dtype or gradient.dtype
            sent.append((gradient.to(torch.promote_types(own, gradient.dtype)) / ranks).to(own))
        with dist._coalescing_manager():
            for one in sent:
                dist.all_reduce(one)
        for index, one in zip(bucket, sent, strict=True):
            trained[index].grad.copy_(one)
