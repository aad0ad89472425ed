"""the model stays in train mode while it is measured."""


def _accuracy(model: nn.Module, test: Sequence[tuple[Tensor, Tensor]], dtype: torch.dtype) -> float:
    with torch.no_grad():
        right = [(_logits(model, images, dtype).argmax(dim=1) == labels).sum().item() for images, labels in test]
    return sum(right) / sum(len(labels) for _, labels in test)
