"""a decoded row is right if it begins like the target without its <eos>."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets) or len(targets) == 0:
        raise ValueError("as many rows are needed of both, and at least one")

    def sentence(row):
        return row[: row.index(EOS)]

    pairs = zip(decoded.tolist(), targets.tolist())
    return sum(a[: len(sentence(b))] == sentence(b) for a, b in pairs) / len(targets)
