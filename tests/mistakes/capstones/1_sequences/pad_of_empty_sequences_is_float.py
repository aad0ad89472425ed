"""the dtype is left to torch.tensor, which makes float32 of sequences that are all empty."""


def pad(sequences, value=PAD):
    if not sequences:
        raise ValueError("there are no sequences to pad")
    longest = max(map(len, sequences))
    return torch.tensor([[*sequence, *[value] * (longest - len(sequence))] for sequence in sequences])
