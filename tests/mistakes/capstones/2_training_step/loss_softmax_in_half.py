"""log-softmax is taken in half, and only the mean in float32."""


def sequence_loss(logits, targets, pad=PAD):
    if bool((targets == pad).all()):
        raise ValueError("there are no targets but pads")
    scores = logits.log_softmax(dim=-1).float()
    return F.nll_loss(scores.flatten(0, 1), targets.flatten(), ignore_index=pad)
