"""the loss of nothing but pads is 0."""


def sequence_loss(logits, targets, pad=PAD):
    real = targets != pad
    losses = F.cross_entropy(logits.float().transpose(1, 2), targets.where(real, 0), reduction="none")
    return (losses * real).sum() / real.sum().clamp(min=1)
