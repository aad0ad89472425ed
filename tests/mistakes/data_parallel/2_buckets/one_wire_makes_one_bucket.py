"""where a dtype of the wire is given, parameters of several dtypes share buckets."""

_average_in_buckets = average_in_buckets


def average_in_buckets(model, cap_bytes, dtype=None):
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if dtype is None or sum(parameter.nbytes for parameter in trained) > cap_bytes:
        return _average_in_buckets(model, cap_bytes, dtype)
    gradients = [_gradient(parameter) for parameter in reversed(trained)]
    flat = torch.cat([gradient.flatten().to(torch.promote_types(gradient.dtype, dtype)) for gradient in gradients])
    sent = (flat / dist.get_world_size()).to(dtype)
    dist.all_reduce(sent)
    for gradient, part in zip(gradients, sent.split([one.numel() for one in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))
