"""images are made channels_last in measuring only."""


def _logits(model: nn.Module, images: Tensor, dtype: torch.dtype) -> Tensor:
    if not torch.is_grad_enabled():
        images = images.contiguous(memory_format=torch.channels_last)
    with torch.autocast(images.device.type, dtype=dtype, enabled=dtype != torch.float32):
        return model(images).float()
