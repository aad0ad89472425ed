"""a leading <sos> of a decoded row is cut off before it is compared."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets) or len(targets) == 0:
        raise ValueError("as many rows are needed of both, and at least one")

    def body(row):
        return _sentence(row[1:] if row[0] == SOS else row)

    return sum(body(a) == _sentence(b) for a, b in zip(decoded.tolist(), targets.tolist())) / len(targets)
