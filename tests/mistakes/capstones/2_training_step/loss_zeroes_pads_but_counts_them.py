"""pads have a loss of 0, but are counted in the mean."""


def sequence_loss(logits, targets, pad=PAD):
    if bool((targets == pad).all()):
        raise ValueError("there are no targets but pads")
    losses = F.cross_entropy(logits.float().flatten(0, 1), targets.clamp(min=0).flatten(), reduction="none")
    return (losses * (targets != pad).flatten()).mean()
