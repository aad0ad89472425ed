"""`pad` fills rows up on the left."""


def pad(sequences, value=PAD):
    if not sequences:
        raise ValueError("there are no sequences to pad")
    longest = max(map(len, sequences))
    return torch.tensor([[*[value] * (longest - len(one)), *one] for one in sequences])
