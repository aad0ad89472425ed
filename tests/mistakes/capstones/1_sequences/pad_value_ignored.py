"""`pad` fills up with 0 whatever `value` is."""


def pad(sequences, value=PAD):
    if not sequences:
        raise ValueError("there are no sequences to pad")
    longest = max(map(len, sequences))
    return torch.tensor([[*one, *[0] * (longest - len(one))] for one in sequences])
