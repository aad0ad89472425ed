"""the accuracy is a mean of the batches' accuracies."""


def _accuracy(model: nn.Module, test: Sequence[tuple[Tensor, Tensor]], dtype: torch.dtype) -> float:
    model.eval()
    with torch.no_grad():
        right = [
            (_logits(model, images, dtype).argmax(dim=1) == labels).float().mean().item() for images, labels in test
        ]
    return sum(right) / len(test)
