"""targets are refused if all are 0, whatever `pad` is."""


def sequence_loss(logits, targets, pad=PAD):
    if bool((targets == PAD).all()):
        raise ValueError("there are no targets but pads")
    return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=pad)
