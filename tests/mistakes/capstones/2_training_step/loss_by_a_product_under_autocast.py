"""tokens are picked by a product with one-hot rows, which autocast rounds to 16 bits."""


def sequence_loss(logits, targets, pad=PAD):
    if bool((targets == pad).all()):
        raise ValueError("there are no targets but pads")
    real = targets != pad
    scores = logits.float().log_softmax(dim=-1)[real]
    picked = scores.unsqueeze(1) @ F.one_hot(targets[real], logits.shape[-1]).float().unsqueeze(2)
    return -picked.float().mean()
