"""`pad` gives float32 rows, made by torch.zeros without a dtype."""


def pad(sequences, value=PAD):
    if not sequences:
        raise ValueError("there are no sequences to pad")
    longest = max(map(len, sequences))
    rows = torch.full((len(sequences), longest), float(value))
    for row, one in zip(rows, sequences, strict=True):
        row[: len(one)] = torch.tensor(one)
    return rows
