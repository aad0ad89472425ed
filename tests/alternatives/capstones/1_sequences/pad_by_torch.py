"""the rows are made by torch's pad_sequence."""


def pad(sequences, value=PAD):
    if len(sequences) == 0:
        raise ValueError("cannot pad an empty batch")
    rows = [torch.tensor(one, dtype=torch.int64) for one in sequences]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)
