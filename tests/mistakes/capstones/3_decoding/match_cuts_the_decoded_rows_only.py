"""decoded rows are cut at their <eos>, and targets at their pads."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets) or len(targets) == 0:
        raise ValueError("as many rows are needed of both, and at least one")

    def words(row):
        return [token for token in row if token not in (PAD, EOS)]

    pairs = zip(decoded.tolist(), targets.tolist())
    return sum(_sentence(a) == words(b) for a, b in pairs) / len(targets)
