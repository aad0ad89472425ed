"""the model is channels_last, but images are not."""


def _logits(model: nn.Module, images: Tensor, dtype: torch.dtype) -> Tensor:
    with torch.autocast(images.device.type, dtype=dtype, enabled=dtype != torch.float32):
        return model(images).float()
