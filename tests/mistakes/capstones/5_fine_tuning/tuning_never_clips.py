"""the gradients of fine-tuning are not clipped."""


def fine_tune(
    model: nn.Module,
    batches: Sequence[tuple[Tensor, Tensor]],
    dtype: torch.dtype,
    lr: float,
    warmup: int,
    weight_decay: float = 0.01,
    max_grad_norm: float = 1.0,
    frozen: Sequence[str] = (),
) -> list[float]:
    if not batches:
        raise ValueError("there are no batches to train on")
    _check_schedule(warmup, len(batches))
    modules = dict(model.named_modules())
    if unknown := [name for name in frozen if name not in modules]:
        raise ValueError(f"the model has no module {', '.join(unknown)}")
    to_freeze = {parameter for name in frozen for parameter in modules[name].parameters()}
    if all(parameter in to_freeze or not parameter.requires_grad for parameter in model.parameters()):
        raise ValueError("all parameters are frozen: there is nothing left to train")
    for parameter in to_freeze:
        parameter.requires_grad_(False)
    optimizer = torch.optim.AdamW(parameter_groups(model, weight_decay), lr=lr)
    scheduler = LambdaLR(optimizer, lambda step: warmup_linear(step, warmup, len(batches)))
    scaler = GradScaler(batches[0][1].device.type, enabled=dtype == torch.float16)
    losses = []
    for inputs, labels in batches:
        model.train()
        optimizer.zero_grad()
        with torch.autocast(labels.device.type, dtype=dtype, enabled=dtype != torch.float32):
            logits = model(inputs)
        loss = F.cross_entropy(logits.float(), labels)
        if _backward_and_step(loss, optimizer, scaler, math.inf):
            scheduler.step()
        losses.append(loss.item())
    return losses
