"""each row has the same weight in the loss, however many tokens it has."""


def sequence_loss(logits, targets, pad=PAD):
    if bool((targets == pad).all()):
        raise ValueError("there are no targets but pads")
    losses = F.cross_entropy(logits.float().transpose(1, 2), targets.clamp(min=0), reduction="none")
    real = (targets != pad).float()
    return ((losses * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)).mean()
