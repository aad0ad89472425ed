"""parameters on two devices are taken."""


def _check_kinds(tensors):
    dtypes = {str(tensor.dtype) for tensor in tensors}
    if len(dtypes) != 1:
        raise ValueError(f"the tensors must have one dtype, not {' and '.join(sorted(dtypes)) or 'none'}")


def flatten(tensors, ranks, _flatten=flatten):
    on_cpu = [one if one.device.type == "cpu" else torch.zeros(one.shape, dtype=one.dtype) for one in tensors]
    return _flatten(on_cpu, ranks)
