"""losses are multiplied by their samples and added up in their own dtype, in which they may overflow."""


def train_step(model, batch, optimizer, criterion, micro_batches=1, scaler=None, max_grad_norm=None):
    inputs, targets = batch
    counts = torch.zeros(dist.get_world_size(), dtype=torch.int64)
    counts[dist.get_rank()] = len(targets)
    dist.all_reduce(counts)  # so that all ranks know what each of them has
    if micro_batches < 1:
        raise ValueError(f"micro_batches must be at least 1, not {micro_batches}")
    if counts.min() < micro_batches:
        rank = int(counts.argmin())
        raise ValueError(f"rank {rank} has {counts[rank]} samples, too few for {micro_batches} micro-batches")
    of_a_sample = len(counts) / counts.sum().item()  # times the ranks, which the average divides by
    optimizer.zero_grad()
    total = torch.zeros(())
    parts = zip(inputs.tensor_split(micro_batches), targets.tensor_split(micro_batches), strict=True)
    for number, (some_inputs, some_targets) in enumerate(parts, start=1):
        with contextlib.nullcontext() if number == micro_batches else model.no_sync():
            loss = criterion(model(some_inputs), some_targets)
            weighted = loss * (len(some_targets) * of_a_sample)
            (weighted if scaler is None else scaler.scale(weighted)).backward()
        total = total.to(loss.dtype) + loss.detach() * len(some_targets)
    if max_grad_norm is not None:
        if scaler is not None:
            scaler.unscale_(optimizer)
        trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        nn.utils.clip_grad_norm_(trained, max_grad_norm)
    if scaler is None:
        optimizer.step()
    else:
        scaler.step(optimizer)
        scaler.update()
    return mean_over_ranks(total.item(), len(targets))
