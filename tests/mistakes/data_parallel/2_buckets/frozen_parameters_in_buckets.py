"""frozen parameters are in the buckets too, as zeros."""


def average_in_buckets(model, cap_bytes, dtype=None):
    every = list(model.parameters())
    started = [_start_average([every[i] for i in one], dtype) for one in make_buckets(every, cap_bytes)]
    for finish in started:
        finish()
