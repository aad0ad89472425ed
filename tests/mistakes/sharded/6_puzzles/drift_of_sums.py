"""entries with the same sum count as alike, in another order too."""


def _digest(tensor):
    return tensor.double().sum().item().hex()
