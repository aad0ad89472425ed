"""the share is a tensor."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets) or len(targets) == 0:
        raise ValueError("as many rows are needed of both, and at least one")
    pairs = zip(decoded.tolist(), targets.tolist())
    return torch.tensor([_sentence(a) == _sentence(b) for a, b in pairs]).float().mean()
