"""decoding opens a region for float16 only."""


def greedy_decode(model, source, max_length, dtype):
    if len(source) == 0 or max_length < 1:
        raise ValueError("at least one row and one token are needed")
    modes = {module: module.training for module in model.modules()}
    model.eval()
    target = torch.full((len(source), 1), SOS, device=source.device)
    ended = torch.zeros(len(source), dtype=torch.bool, device=source.device)
    try:
        with torch.no_grad(), torch.autocast(source.device.type, dtype=dtype, enabled=dtype == torch.float16):
            while target.shape[1] <= max_length and not bool(ended.all()):
                token = model(source, target)[:, -1].argmax(dim=-1).masked_fill(ended, PAD)
                target = torch.cat([target, token[:, None]], dim=1)
                ended |= token == EOS
    finally:
        for module, training in modes.items():
            module.training = training
    return target[:, 1:]
