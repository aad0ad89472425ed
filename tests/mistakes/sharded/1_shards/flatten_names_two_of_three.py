"""the message names the first dtype that differs and the first of all, and no third one."""


def _check_kinds(tensors):
    if not tensors:
        raise ValueError("there is no tensor to flatten")
    for tensor in tensors:
        for part in ("dtype", "device"):
            pair = [getattr(one, part) for one in (tensors[0], tensor)]
            if pair[0] != pair[1]:
                raise ValueError(f"the tensors must have one {part}, not {pair[0]} and {pair[1]}")
