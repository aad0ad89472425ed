"""the tokens are written into a tensor of the full width, and the model always sees all of it."""


@torch.no_grad()
def greedy_decode(model, source, max_length, dtype):
    if not (len(source) and max_length >= 1):
        raise ValueError("nothing to decode")
    modes = [module.training for module in model.modules()]
    model.eval()
    tokens = torch.full((len(source), max_length + 1), PAD, device=source.device)
    tokens[:, 0] = SOS
    going = source.new_ones(len(source), dtype=torch.bool)
    try:
        for place in range(max_length):
            with torch.autocast(source.device.type, dtype=dtype, enabled=dtype != torch.float32):
                logits = model(source, tokens[:, :max_length])
            tokens[:, place + 1] = torch.where(going, logits[:, place].float().max(dim=-1).indices, PAD)
            going = going & (tokens[:, place + 1] != EOS)
            if not going.any():
                break
    finally:
        for module, mode in zip(model.modules(), modes):
            module.training = mode
    return tokens[:, 1 : place + 2].clone()
