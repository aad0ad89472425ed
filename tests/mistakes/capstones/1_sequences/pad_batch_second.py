"""`pad` gives (longest, N), as pad_sequence does without batch_first."""


def pad(sequences, value=PAD):
    if not sequences:
        raise ValueError("there are no sequences to pad")
    rows = [torch.tensor(one) for one in sequences]
    return nn.utils.rnn.pad_sequence(rows, padding_value=value)
