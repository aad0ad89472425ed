"""the running statistics are reset before each epoch."""


def train_images(
    model: nn.Module,
    train: Sequence[tuple[Tensor, Tensor]],
    test: Sequence[tuple[Tensor, Tensor]],
    optimizer: Optimizer,
    scheduler: LRScheduler,
    dtype: torch.dtype,
    epochs: int,
) -> list[dict[str, float]]:
    if not train or not test:
        raise ValueError("train and test need at least one batch each")
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, not {epochs}")
    model.to(memory_format=torch.channels_last)
    scaler = GradScaler(train[0][0].device.type, enabled=dtype == torch.float16)
    history = []
    for _ in range(epochs):
        model.train()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
        total, seen, skipped = 0.0, 0, 0
        lr = optimizer.param_groups[0]["lr"]
        for images, labels in train:
            optimizer.zero_grad()
            loss = F.cross_entropy(_logits(model, images, dtype), labels)
            skipped += not _backward_and_step(loss, optimizer, scaler, math.inf)
            total += loss.item() * len(labels)
            seen += len(labels)
        scheduler.step()
        accuracy = _accuracy(model, test, dtype)
        history.append({"loss": total / seen, "accuracy": accuracy, "lr": lr, "skipped": skipped})
    model.train()
    return history
