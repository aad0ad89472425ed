"""all batches of a window run forward before the first goes backward."""


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
        losses = []
        for inputs, targets in micro_batches:
            loss = criterion(model(inputs), targets)
            losses.append(scaler.scale(loss) * (len(targets) / samples))
            total += loss.item() * len(targets)
        for loss in losses:
            loss.backward()
        seen += samples
        if max_grad_norm is not None:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(_parameters_of_optimizer(optimizer), max_grad_norm)
        steps += scaler.step(optimizer)
        scaler.update()
    return {"steps": steps, "skipped": len(windows) - steps, "loss": total / seen}
