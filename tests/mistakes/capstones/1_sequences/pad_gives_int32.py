"""`pad` gives an int32 tensor."""


def pad(sequences, value=PAD):
    if not sequences:
        raise ValueError("there are no sequences to pad")
    longest = max(map(len, sequences))
    return torch.tensor([[*one, *[value] * (longest - len(one))] for one in sequences], dtype=torch.int32)
