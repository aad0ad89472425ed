"""the buckets' indices count the parameters that train, and are used for all of them."""


def average_in_buckets(model, cap_bytes, dtype=None):
    every = list(model.parameters())
    trained = [parameter for parameter in every if parameter.requires_grad]
    started = [_start_average([every[i] for i in one], dtype) for one in make_buckets(trained, cap_bytes)]
    for finish in started:
        finish()
