"""images are cast to dtype before the model gets them."""


def _logits(model: nn.Module, images: Tensor, dtype: torch.dtype) -> Tensor:
    images = images.contiguous(memory_format=torch.channels_last)
    with torch.autocast(images.device.type, dtype=dtype, enabled=dtype != torch.float32):
        return model(images.to(dtype)).float()
