"""pads have no part in the value of the loss, but get a gradient."""


def sequence_loss(logits, targets, pad=PAD):
    if bool((targets == pad).all()):
        raise ValueError("there are no targets but pads")
    loss = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=pad)
    at_pads = logits.float().logsumexp(dim=-1)[targets == pad].sum()
    return loss + 0.1 * (at_pads - at_pads.detach())
