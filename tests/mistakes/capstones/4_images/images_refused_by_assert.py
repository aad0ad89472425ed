"""assert checks the arguments."""


def train_images(
    model: nn.Module,
    train: Sequence[tuple[Tensor, Tensor]],
    test: Sequence[tuple[Tensor, Tensor]],
    optimizer: Optimizer,
    scheduler: LRScheduler,
    dtype: torch.dtype,
    epochs: int,
) -> list[dict[str, float]]:
    assert train, "no batches to train on"
    assert test, "no batches to test on"
    assert epochs >= 1, "no epochs"
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # PyTorch's stubs lack it
    scaler = GradScaler(train[0][0].device.type, enabled=dtype == torch.float16)
    history = []
    for _ in range(epochs):
        model.train()
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
