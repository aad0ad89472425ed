"""missing gradients become zeros before the cap is refused."""

_average_in_buckets = average_in_buckets


def average_in_buckets(model, cap_bytes, dtype=None):
    dist.get_world_size()
    for parameter in model.parameters():
        if parameter.requires_grad:
            _gradient(parameter)
    _average_in_buckets(model, cap_bytes, dtype)
