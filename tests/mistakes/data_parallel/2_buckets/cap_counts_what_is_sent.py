"""the cap is compared with the bytes that are sent: in bfloat16 twice as many gradients share a call."""


def average_in_buckets(model, cap_bytes, dtype=None):
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    make_buckets(trained, cap_bytes)
    cast = [parameter.detach().to(dtype or parameter.dtype) for parameter in trained]
    started = [_start_average([trained[i] for i in one], dtype) for one in make_buckets(cast, cap_bytes)]
    for finish in started:
        finish()
