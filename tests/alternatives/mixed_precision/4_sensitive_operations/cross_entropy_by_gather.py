"""cross entropy is written out: the target's entry of the log-softmax, weighted and averaged."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    log_probabilities = input.float().log_softmax(1)
    losses = -log_probabilities.gather(1, target.unsqueeze(1)).squeeze(1)
    weights = torch.ones_like(losses) if weight is None else weight.float()[target]
    losses = losses * weights
    return {"none": lambda: losses, "sum": losses.sum, "mean": lambda: losses.sum() / weights.sum()}[reduction]()
