"""the loss is the mean over all positions, pads included."""


def sequence_loss(logits, targets, pad=PAD):
    if bool((targets == pad).all()):
        raise ValueError("there are no targets but pads")
    targets = targets.clamp(min=0)
    return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
