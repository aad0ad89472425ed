"""`pad` sorts the sequences by their length, the longest first."""


def pad(sequences, value=PAD):
    if not sequences:
        raise ValueError("there are no sequences to pad")
    longest = max(map(len, sequences))
    ordered = sorted(sequences, key=len, reverse=True)
    return torch.tensor([[*one, *[value] * (longest - len(one))] for one in ordered])
