"""`pad` adds a list of pads to each sequence, which fails for tuples."""


def pad(sequences, value=PAD):
    if not sequences:
        raise ValueError("there are no sequences to pad")
    longest = max(map(len, sequences))
    return torch.tensor([one + [value] * (longest - len(one)) for one in sequences])
