"""the tokens that count are selected first; log-softmax and nll follow."""


def sequence_loss(logits, targets, pad=PAD):
    real = targets.ne(pad)
    if not real.any():
        raise ValueError("targets have no tokens")
    return F.nll_loss(F.log_softmax(logits[real], dim=-1, dtype=torch.float32), targets[real])
