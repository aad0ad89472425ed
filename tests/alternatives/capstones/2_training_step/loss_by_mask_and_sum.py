"""the loss is a masked sum divided by the number of tokens, in float64 until the end."""


def sequence_loss(logits, targets, pad=PAD):
    real = targets != pad
    count = int(real.sum())
    if count == 0:
        raise ValueError("no token counts in these targets")
    scores = logits.double().log_softmax(dim=-1)
    picked = scores.gather(-1, targets.where(real, 0).unsqueeze(-1)).squeeze(-1)
    return (-(picked * real).sum() / count).float()
