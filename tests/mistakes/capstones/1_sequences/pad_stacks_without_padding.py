"""`pad` stacks the rows as a default collate function does, which only works for equal lengths."""


def pad(sequences, value=PAD):
    if not sequences:
        raise ValueError("there are no sequences to pad")
    return torch.stack([torch.tensor(one) for one in sequences])
