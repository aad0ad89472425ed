"""float32 runs under an autocast in bfloat16."""


def _logits(model: nn.Module, images: Tensor, dtype: torch.dtype) -> Tensor:
    images = images.contiguous(memory_format=torch.channels_last)
    with torch.autocast(images.device.type, dtype=torch.bfloat16 if dtype == torch.float32 else dtype):
        return model(images).float()
