"""the loss picks each token by its index, and fails for a `pad` that is no index, such as -100."""


def sequence_loss(logits, targets, pad=PAD):
    if bool((targets == pad).all()):
        raise ValueError("there are no targets but pads")
    picked = logits.float().log_softmax(dim=-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return -picked[targets != pad].mean()
