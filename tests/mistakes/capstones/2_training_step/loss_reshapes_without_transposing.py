"""(N, T, V) logits are viewed as (N, V, T), which mixes up positions and tokens."""


def sequence_loss(logits, targets, pad=PAD):
    if bool((targets == pad).all()):
        raise ValueError("there are no targets but pads")
    n, t, v = logits.shape
    return F.cross_entropy(logits.float().reshape(n, v, t), targets, ignore_index=pad)
