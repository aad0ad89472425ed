"""every gradient is sent by itself."""


def average_in_buckets(model, cap_bytes, dtype=None):
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for bucket in make_buckets(trained, cap_bytes):
        for index in bucket:
            _start_average([trained[index]], dtype)()
