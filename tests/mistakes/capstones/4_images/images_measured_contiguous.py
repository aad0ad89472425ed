"""images are channels_last in training only."""


def _accuracy(model: nn.Module, test: Sequence[tuple[Tensor, Tensor]], dtype: torch.dtype) -> float:
    model.eval()
    device_type = test[0][0].device.type
    enabled = dtype != torch.float32
    with torch.no_grad(), torch.autocast(device_type, dtype=dtype, enabled=enabled):
        right = [(model(images).argmax(dim=1) == labels).sum().item() for images, labels in test]
    return sum(right) / sum(len(labels) for _, labels in test)
