"""the largest number that rounds to zero is half of the smallest one of the dtype; magnitudes are compared with it."""


def classify(gradients, dtype, scale=1.0, limit=0.5):
    smallest = 0.0 if dtype == torch.float32 else torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps
    kinds = {}
    for name, gradient in gradients.items():
        if gradient is None:
            kinds[name] = "none"
            continue
        sizes = gradient.detach().double().abs().flatten()
        if torch.isnan(sizes).any():
            kinds[name] = "nan"
        elif not torch.isfinite(sizes).all():
            kinds[name] = "inf"
        elif sizes.max() == 0:
            kinds[name] = "zero"
        else:
            sizes = sizes[sizes > 0]
            share = (sizes * scale <= smallest / 2).double().mean().item()
            kinds[name] = "underflow" if share > limit else "ok"
    return kinds
