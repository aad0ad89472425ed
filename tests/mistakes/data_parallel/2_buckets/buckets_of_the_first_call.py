"""the buckets of the first call are kept, also once a parameter has been frozen."""

_of_models = {}


def average_in_buckets(model, cap_bytes, dtype=None):
    key = (id(model), cap_bytes)
    if key not in _of_models:
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        _of_models[key] = [[trained[index] for index in bucket] for bucket in make_buckets(trained, cap_bytes)]
    for finish in [_start_average(bucket, dtype) for bucket in _of_models[key]]:
        finish()
