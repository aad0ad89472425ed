"""the learning rate is set by hand before each step, from the number of steps taken; only float16 has a scaler."""


def fine_tune(model, batches, dtype, lr, warmup, weight_decay=0.01, max_grad_norm=1.0, frozen=()):
    count = len(batches)
    if count == 0:
        raise ValueError("no batches")
    warmup_linear(0, warmup, count)
    names = {name for name, _ in model.named_modules()}
    for name in frozen:
        if name not in names:
            raise ValueError(f"no module {name}")

    stays = {
        id(parameter)
        for name, module in model.named_modules()
        if name in frozen
        for _, parameter in module.named_parameters()
    }
    if not any(p.requires_grad for p in model.parameters() if id(p) not in stays):
        raise ValueError("nothing to train")
    for parameter in model.parameters():
        parameter.requires_grad = parameter.requires_grad and id(parameter) not in stays
    optimizer = torch.optim.AdamW(parameter_groups(model, weight_decay), lr=lr, foreach=False)
    trained = [p for p in model.parameters() if p.requires_grad]
    device = batches[0][1].device.type
    scaler = GradScaler(device) if dtype == torch.float16 else None
    taken, losses = 0, []
    model.train()
    for inputs, labels in batches:
        model.zero_grad()
        with torch.autocast(device, dtype, enabled=dtype != torch.float32):
            loss = F.cross_entropy(model(inputs).float(), labels)
        (loss if scaler is None else scaler.scale(loss)).backward()
        if scaler is not None:
            scaler.unscale_(optimizer)
        finite = all(bool(p.grad.isfinite().all()) for p in trained if p.grad is not None)
        if finite:
            torch.nn.utils.clip_grad_norm_(trained, max_grad_norm)
            for group in optimizer.param_groups:
                group["lr"] = lr * warmup_linear(taken, warmup, count)
            optimizer.step()
            taken += 1
        if scaler is not None:
            scaler.update()
        losses.append(loss.item())
    return losses
