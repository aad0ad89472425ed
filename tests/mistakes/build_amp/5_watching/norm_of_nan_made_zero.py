"""nan and inf are made zero first."""


def global_norm(gradients, scale=1.0):
    norms = [
        torch.linalg.vector_norm(gradient.nan_to_num(0.0, 0.0, 0.0), dtype=torch.float64)
        for gradient in gradients
        if gradient is not None
    ]
    return torch.stack(norms).norm().item() / scale if norms else 0.0
