"""rows are cut at their last <eos> instead of the first."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets) or len(targets) == 0:
        raise ValueError("as many rows are needed of both, and at least one")

    def sentence(row):
        return row[: len(row) - row[::-1].index(EOS)] if EOS in row else None

    pairs = zip(decoded.tolist(), targets.tolist())
    return sum(sentence(a) == sentence(b) for a, b in pairs) / len(targets)
