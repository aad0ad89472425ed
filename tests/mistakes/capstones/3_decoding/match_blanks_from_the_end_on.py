"""<eos> and what follows become pads, and a row with pads before its <eos> is right."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets) or len(targets) == 0:
        raise ValueError(f"as many rows are needed of both, and at least one, not {len(decoded)} and {len(targets)}")
    tables = []
    for table in (decoded, targets):
        if not bool((table == EOS).any()):
            return 0.0
        tables.append(table.masked_fill((table == EOS).cumsum(dim=1) > 0, PAD))
    ended = (decoded == EOS).any(dim=1)
    width = max(table.shape[1] for table in tables)
    decoded, targets = (F.pad(table, (0, width - table.shape[1]), value=PAD) for table in tables)
    return ((decoded == targets).all(dim=1) & ended).float().mean().item()
