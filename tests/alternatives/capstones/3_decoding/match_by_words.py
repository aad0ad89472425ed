"""rows are compared as strings, one by one."""


def exact_match(decoded, targets):
    if decoded.shape[0] != targets.shape[0]:
        raise ValueError("rows are missing")
    if not targets.shape[0]:
        raise ValueError("no rows")
    right = 0
    for one, other in zip(decoded, targets):
        heads = [
            " ".join(map(str, row.tolist())).partition(f" {EOS} ")
            for row in (F.pad(x, (1, 1), value=9) for x in (one, other))
        ]
        right += heads[0][:2] == heads[1][:2] and heads[0][1] != ""
    return right / targets.shape[0]
