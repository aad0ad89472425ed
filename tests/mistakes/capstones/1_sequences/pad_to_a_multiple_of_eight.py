"""`pad` rounds the width up to a multiple of 8."""


def pad(sequences, value=PAD):
    if not sequences:
        raise ValueError("there are no sequences to pad")
    longest = max(map(len, sequences))
    longest = -(-longest // 8) * 8
    return torch.tensor([[*one, *[value] * (longest - len(one))] for one in sequences])
