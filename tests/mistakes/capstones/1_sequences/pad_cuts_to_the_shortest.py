"""`pad` cuts all sequences to the shortest one."""


def pad(sequences, value=PAD):
    if not sequences:
        raise ValueError("there are no sequences to pad")
    shortest = min(map(len, sequences))
    return torch.tensor([list(one[:shortest]) for one in sequences])
