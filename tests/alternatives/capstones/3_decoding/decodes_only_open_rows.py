"""rows that have ended are left out of the batch."""


def greedy_decode(model, source, max_length, dtype):
    if source.shape[0] < 1 or max_length <= 0:
        raise ValueError(f"cannot decode {source.shape[0]} rows of at most {max_length} tokens")
    was = [(module, module.training) for module in model.modules()]
    rows = [[] for _ in source]
    try:
        model.eval()
        with torch.inference_mode(), torch.autocast(source.device.type, dtype, enabled=dtype != torch.float32):
            for _ in range(max_length):
                going = [index for index, row in enumerate(rows) if row[-1:] != [EOS]]
                if not going:
                    break
                shown = torch.tensor([[SOS, *rows[index]] for index in going], device=source.device)
                for index, token in zip(going, model(source[going], shown)[:, -1].argmax(-1).tolist()):
                    rows[index].append(token)
    finally:
        for module, mode in was:
            module.training = mode
    return pad(rows).to(source.device)
