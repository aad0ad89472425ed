"""the loss of nothing but pads is nan."""


def sequence_loss(logits, targets, pad=PAD):
    return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=pad)
