"""the accuracy is the number of right answers."""


def _accuracy(model: nn.Module, test: Sequence[tuple[Tensor, Tensor]], dtype: torch.dtype) -> float:
    model.eval()
    with torch.no_grad():
        right = [(_logits(model, images, dtype).argmax(dim=1) == labels).sum().item() for images, labels in test]
    return sum(right)
