"""scaled gradients are clipped to the limit times the scale, by a norm in float64."""


def fine_tune(model, batches, dtype, lr, warmup, weight_decay=0.01, max_grad_norm=1.0, frozen=()):
    count = len(batches)
    if count == 0:
        raise ValueError("no batches")
    warmup_linear(0, warmup, count)
    names = {name for name, _ in model.named_modules()}
    for name in frozen:
        if name not in names:
            raise ValueError(f"no module {name}")

    modules = [model.get_submodule(name) for name in frozen]
    kept = [p for m in modules for p in m.parameters()]
    if all(any(p is k for k in kept) for p in model.parameters() if p.requires_grad):
        raise ValueError("nothing to train")
    for module in modules:
        module.requires_grad_(False)
    optimizer = torch.optim.AdamW(parameter_groups(model, weight_decay), lr=lr)
    scheduler = LambdaLR(optimizer, [lambda step: warmup_linear(step, warmup, count)] * 2)
    scaler = GradScaler(labels_device(batches), enabled=dtype == torch.float16)
    losses = []
    for inputs, labels in batches:
        model.train()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(labels.device.type, dtype=dtype, enabled=dtype != torch.float32):
            logits = model(inputs)
        loss = -logits.double().log_softmax(dim=1).gather(1, labels[:, None]).mean()
        scaler.scale(loss).backward()
        gradients = [p.grad for g in optimizer.param_groups for p in g["params"] if p.grad is not None]
        norm = math.sqrt(sum(float(gradient.double().square().sum()) for gradient in gradients))
        limit = max_grad_norm * scaler.get_scale()
        if math.isfinite(norm) and norm > limit:
            for gradient in gradients:
                gradient *= limit / norm
        scaler.unscale_(optimizer)
        if math.isfinite(norm):
            scaler.step(optimizer)
            scheduler.step()
        scaler.update()
        losses += [float(loss)]
    return losses


def labels_device(batches):
    return batches[0][1].device.type
