"""autocast has the CPU's default dtype, whatever dtype is."""


def _logits(model: nn.Module, images: Tensor, dtype: torch.dtype) -> Tensor:
    images = images.contiguous(memory_format=torch.channels_last)
    with torch.autocast(images.device.type, enabled=dtype != torch.float32):
        return model(images).float()
