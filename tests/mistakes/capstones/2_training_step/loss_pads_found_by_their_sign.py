"""token 0 is taken for a pad as well if `pad` is below 0."""


def sequence_loss(logits, targets, pad=PAD):
    if bool((targets == pad).all()):
        raise ValueError("there are no targets but pads")
    real = targets > max(pad, 0) if pad <= 0 else targets != pad
    return F.cross_entropy(logits[real].float(), targets[real])
