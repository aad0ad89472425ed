"""the buckets are sent from the last one to the first."""


def average_in_buckets(model, cap_bytes, dtype=None):
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    buckets = make_buckets(trained, cap_bytes)[::-1]
    started = [_start_average([trained[i] for i in one], dtype) for one in buckets]
    for finish in started:
        finish()
