"""whether a row has ended is read from the tokens so far."""


def greedy_decode(model, source, max_length, dtype):
    if len(source) == 0 or max_length < 1:
        raise ValueError("at least one row and one token are needed")
    modes = {module: module.training for module in model.modules()}
    model.eval()
    target = torch.full((len(source), 1), SOS, device=source.device)
    try:
        with torch.no_grad(), torch.autocast(source.device.type, dtype=dtype, enabled=dtype != torch.float32):
            while target.shape[1] <= max_length and not bool((target == EOS).any(dim=1).all()):
                token = model(source, target).softmax(dim=-1)[:, -1].argmax(dim=-1)
                token = token * ~(target == EOS).any(dim=1)
                target = torch.cat([target, token[:, None]], dim=1)
    finally:
        for module, training in modes.items():
            module.training = training
    return target[:, 1:]
