"""only float16 has a scaler; every entry of the gradients is looked at; the scale shows what was skipped."""


def train_images(model, train, test, optimizer, scheduler, dtype, epochs):
    if len(train) == 0 or len(test) == 0 or epochs <= 0:
        raise ValueError("there is nothing to train on, to test on, or no epoch")

    model = model.to(memory_format=torch.channels_last)
    device = train[0][0].device.type
    scaler = torch.amp.GradScaler(device) if dtype == torch.float16 else None
    history = []
    for epoch in range(epochs):
        losses, counts, skipped = [], [], 0
        for images, labels in train:
            model.train()
            model.zero_grad(set_to_none=False)
            images = images.to(memory_format=torch.channels_last)
            with torch.autocast(device, dtype, enabled=dtype is not torch.float32):
                loss = F.cross_entropy(model(images).float(), labels)
            if scaler is None:
                loss.backward()
                if all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None):
                    optimizer.step()
                else:
                    skipped += 1
            else:
                before = scaler.get_scale()
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
                skipped += scaler.get_scale() < before
            losses.append(float(loss))
            counts.append(len(images))
        lr = scheduler.get_last_lr()[0]
        scheduler.step()
        model.eval()
        with torch.inference_mode(), torch.autocast(device, dtype, enabled=dtype is not torch.float32):
            answers = [model(images.to(memory_format=torch.channels_last)).float().argmax(1) for images, _ in test]
        right = torch.cat(answers) == torch.cat([labels for _, labels in test])
        loss = sum(one * count for one, count in zip(losses, counts)) / sum(counts)
        history.append(dict(loss=loss, accuracy=right.double().mean().item(), lr=lr, skipped=skipped))
        model.train(True)
    return history
