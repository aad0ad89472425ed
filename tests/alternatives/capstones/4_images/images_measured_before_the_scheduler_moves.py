"""all is in one function; the measuring comes before the scheduler moves, and the loss is a sum over samples."""


def train_images(model, train, test, optimizer, scheduler, dtype, epochs):
    if len(train) == 0 or len(test) == 0 or epochs <= 0:
        raise ValueError("there is nothing to train on, to test on, or no epoch")

    model.to(memory_format=torch.channels_last)
    kind = next(model.parameters()).device.type
    scaler = GradScaler(kind, enabled=dtype == torch.float16, init_scale=2.0**16)
    history = []
    while len(history) < epochs:
        entry = {"skipped": 0.0, "lr": optimizer.param_groups[0]["lr"]}
        total = torch.zeros((), dtype=torch.float64)
        model.train()
        for images, labels in train:
            images = images.contiguous(memory_format=torch.channels_last)
            with torch.autocast(kind, dtype=dtype, enabled=dtype != torch.float32):
                losses = F.cross_entropy(model(images).to(torch.float32), labels, reduction="none")
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.grad = None
            scaler.scale(losses.mean()).backward()
            scaler.unscale_(optimizer)
            gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            if any(not torch.isfinite(gradient).all() for gradient in gradients):
                entry["skipped"] += 1
            else:
                optimizer.step()
            scaler.update()
            total += losses.detach().double().sum()
        entry["loss"] = total.item() / sum(len(labels) for _, labels in train)
        model.eval()
        right = count = 0
        with torch.no_grad():
            for images, labels in test:
                with torch.autocast(kind, dtype=dtype, enabled=dtype != torch.float32):
                    logits = model(images.contiguous(memory_format=torch.channels_last))
                right += int((logits.max(dim=1).indices == labels).sum())
                count += labels.numel()
        entry["accuracy"] = right / count
        scheduler.step()
        history.append(entry)
    model.train()
    return history
