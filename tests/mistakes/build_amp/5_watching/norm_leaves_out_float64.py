"""float64 gradients are passed over as None is."""


def global_norm(gradients: Iterable[Tensor | None], scale: float = 1.0) -> float:
    norms = [
        torch.linalg.vector_norm(gradient, dtype=torch.float64)
        for gradient in gradients
        if gradient is not None and gradient.dtype != torch.float64
    ]
    return torch.stack(norms).norm().item() / scale if norms else 0.0
