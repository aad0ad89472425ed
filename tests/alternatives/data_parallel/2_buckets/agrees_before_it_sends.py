"""ranks agree on which parameters are used, in a call of its own, before the buckets."""

_sends = average_in_buckets


def average_in_buckets(model, cap_bytes, dtype=None):
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    make_buckets(trained, cap_bytes)
    used = torch.tensor([int(parameter.grad is not None) for parameter in trained])
    dist.all_reduce(used, op=dist.ReduceOp.MAX)
    _sends(model, cap_bytes, dtype)
    for parameter, any_rank in zip(trained, used.tolist(), strict=True):
        if not any_rank:
            parameter.grad = None
