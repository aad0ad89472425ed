"""buckets are made of all parameters, and frozen ones are left out of them afterwards."""


def average_in_buckets(model, cap_bytes, dtype=None):
    every = list(model.parameters())
    started = []
    for bucket in make_buckets(every, cap_bytes):
        trained = [every[index] for index in bucket if every[index].requires_grad]
        if trained:
            started.append(_start_average(trained, dtype))
    for finish in started:
        finish()
