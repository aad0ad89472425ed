"""`pad` looks at the first sequence before it knows that there is one."""

_pad = pad


def pad(sequences, value=PAD):
    longest = len(sequences[0])
    return _pad(sequences, value) if longest >= 0 else None
