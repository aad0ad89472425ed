"""the loss is made a number and a tensor again, and has lost its graph."""


def sequence_loss(logits, targets, pad=PAD):
    if bool((targets == pad).all()):
        raise ValueError("there are no targets but pads")
    loss = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=pad)
    return torch.tensor(loss.item(), device=logits.device, requires_grad=True)
