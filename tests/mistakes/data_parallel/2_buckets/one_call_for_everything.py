"""all gradients of a dtype are sent in one call, whatever the cap."""


def average_in_buckets(model, cap_bytes, dtype=None):
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    make_buckets(trained, cap_bytes)
    for bucket in make_buckets(trained, 2**40):
        _start_average([trained[index] for index in bucket], dtype)()
