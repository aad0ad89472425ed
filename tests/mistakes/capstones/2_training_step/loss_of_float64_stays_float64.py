"""the loss of float64 logits is float64."""


def sequence_loss(logits, targets, pad=PAD):
    if bool((targets == pad).all()):
        raise ValueError("there are no targets but pads: there is nothing to learn from")
    logits = logits if logits.dtype == torch.float64 else logits.float()
    with torch.autocast(logits.device.type, enabled=False):
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=pad)
