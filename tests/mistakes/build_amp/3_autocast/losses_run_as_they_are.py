"""the functions of FP32 run as they are."""

FP32 = frozenset()
