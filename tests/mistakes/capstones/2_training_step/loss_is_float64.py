"""the loss is a float64 scalar."""


def sequence_loss(logits, targets, pad=PAD):
    if bool((targets == pad).all()):
        raise ValueError("there are no targets but pads")
    return F.cross_entropy(logits.double().flatten(0, 1), targets.flatten(), ignore_index=pad)
