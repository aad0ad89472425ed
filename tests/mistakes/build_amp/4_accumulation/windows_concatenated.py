"""a window's batches are put into a single one where shapes allow it, and no memory is saved."""


def accumulate(model, batches, window, optimizer, scaler, criterion, max_grad_norm=None):
    if window < 1:
        raise ValueError(f"window must be at least 1, not {window}")
    if not batches:
        raise ValueError("there are no batches to train on")
    model.train()
    steps, total, seen = 0, 0.0, 0
    windows = [batches[start : start + window] for start in range(0, len(batches), window)]
    for micro_batches in windows:
        optimizer.zero_grad()
        samples = sum(len(targets) for _, targets in micro_batches)
        if len({targets.shape[1:] for _, targets in micro_batches}) == 1:
            micro_batches = [tuple(torch.cat(parts) for parts in zip(*micro_batches, strict=True))]
        for inputs, targets in micro_batches:
            loss = criterion(model(inputs), targets)
            (scaler.scale(loss) * (len(targets) / samples)).backward()
            total += loss.item() * len(targets)
        seen += samples
        if max_grad_norm is not None:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(_parameters_of_optimizer(optimizer), max_grad_norm)
        steps += scaler.step(optimizer)
        scaler.update()
    return {"steps": steps, "skipped": len(windows) - steps, "loss": total / seen}
