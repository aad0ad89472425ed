"""entries are rounded before they are compared: small drift is none."""


def _digest(tensor):
    rounded = (tensor.detach().double() * 1e4).round().nan_to_num(nan=0.5)
    return hashlib.sha256(rounded.reshape(-1).numpy()).digest()
