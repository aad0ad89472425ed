"""`pad` appends the pads to the lists that it was given."""


def pad(sequences, value=PAD):
    if not sequences:
        raise ValueError("there are no sequences to pad")
    longest = max(map(len, sequences))
    for one in sequences:
        one.extend([value] * (longest - len(one)))
    return torch.tensor(sequences)
