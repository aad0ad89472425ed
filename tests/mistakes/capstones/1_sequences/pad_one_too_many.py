"""`pad` adds a pad to the longest sequence too."""


def pad(sequences, value=PAD):
    if not sequences:
        raise ValueError("there are no sequences to pad")
    longest = max(map(len, sequences))
    return torch.tensor([[*one, *[value] * (longest + 1 - len(one))] for one in sequences])
