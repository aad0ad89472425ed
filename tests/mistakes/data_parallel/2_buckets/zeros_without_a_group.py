"""missing gradients become zeros before torch.distributed raises, where there is no group."""

_average_in_buckets = average_in_buckets


def average_in_buckets(model, cap_bytes, dtype=None):
    make_buckets([], cap_bytes)
    for parameter in model.parameters():
        if parameter.requires_grad:
            _gradient(parameter)
    _average_in_buckets(model, cap_bytes, dtype)
