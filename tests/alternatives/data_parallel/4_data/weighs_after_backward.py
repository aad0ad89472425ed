"""losses go backward as sums over samples, and the averaged gradients are divided once."""


def train_step(model, batch, optimizer, criterion, micro_batches=1, scaler=None, max_grad_norm=None):
    inputs, targets = batch
    counts = [None] * dist.get_world_size()
    dist.all_gather_object(counts, len(targets))
    if micro_batches <= 0:
        raise ValueError("micro_batches has to be positive")
    for rank, count in enumerate(counts):
        if count < micro_batches:
            raise ValueError(f"rank {rank} has only {count} samples")
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None
    total = 0.0
    pieces = list(zip(inputs.tensor_split(micro_batches), targets.tensor_split(micro_batches), strict=True))
    with contextlib.ExitStack() as stack:
        stack.enter_context(model.no_sync())
        for number, (some, wanted) in enumerate(pieces):
            if number == len(pieces) - 1:
                stack.close()
            loss = criterion(model(some), wanted).float() * len(wanted)
            total += float(loss.detach())
            if scaler is not None:
                loss = scaler.scale(loss)
            loss.backward()
    owned = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for parameter in owned:
        parameter.grad *= len(counts) / sum(counts)
    if scaler is not None:
        scaler.unscale_(optimizer)
    if max_grad_norm is not None:
        nn.utils.clip_grad_norm_(owned, max_grad_norm)
    if scaler is not None:
        scaler.step(optimizer)
        scaler.update()
    else:
        optimizer.step()
    return mean_over_ranks(total, len(targets))
