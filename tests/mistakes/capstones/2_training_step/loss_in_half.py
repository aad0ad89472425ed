"""the loss is computed in the dtype of the logits."""


def sequence_loss(logits, targets, pad=PAD):
    if bool((targets == pad).all()):
        raise ValueError("there are no targets but pads")
    with torch.autocast(logits.device.type, enabled=False):
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=pad)
