"""one loop over all batches; a window ends when the count is a multiple, or at the last batch."""


def accumulate(model, batches, window, optimizer, scaler, criterion, max_grad_norm=None):
    if window <= 0 or len(batches) == 0:
        raise ValueError("at least one batch, and a window of at least one")
    steps, skipped, losses, sizes = 0, 0, [], []
    for number, (inputs, targets) in enumerate(batches):
        start = number - number % window
        if number == start:
            optimizer.zero_grad(set_to_none=False)
        share = inputs.shape[0] / sum(part.shape[0] for part, _ in batches[start : start + window])
        model.train()
        loss = criterion(model(inputs), targets)
        scaler.scale(loss * share).backward()
        losses.append(loss.detach())
        sizes.append(inputs.shape[0])
        if (number + 1) % window == 0 or number + 1 == len(batches):
            scaler.unscale_(optimizer)
            if max_grad_norm is not None:
                torch.nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], max_grad_norm)
            if scaler.step(optimizer):
                steps += 1
            else:
                skipped += 1
            scaler.update()
    weights = torch.tensor(sizes, dtype=torch.float64)
    mean = (torch.stack(losses).cpu().double() * weights).sum() / weights.sum()
    return {"steps": steps, "skipped": skipped, "loss": mean.item()}
