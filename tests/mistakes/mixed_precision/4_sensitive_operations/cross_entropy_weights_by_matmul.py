"""class weights are picked by a matrix product, which autocast computes in half."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    losses = F.cross_entropy(input.float(), target, reduction="none")
    chosen = torch.ones_like(losses)
    if weight is not None:
        chosen = F.one_hot(target, input.shape[1]).float() @ weight.float()
    losses = losses * chosen
    if reduction == "mean":
        return losses.sum() / chosen.sum()
    return losses.sum() if reduction == "sum" else losses
