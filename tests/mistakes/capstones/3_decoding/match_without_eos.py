"""a decoded row without <eos> is right if its other tokens are."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets) or len(targets) == 0:
        raise ValueError("as many rows are needed of both, and at least one")

    def cut(row):
        row = row[: row.index(EOS)] if EOS in row else row
        return [token for token in row if token != PAD]

    return sum(cut(a) == cut(b) for a, b in zip(decoded.tolist(), targets.tolist())) / len(targets)
