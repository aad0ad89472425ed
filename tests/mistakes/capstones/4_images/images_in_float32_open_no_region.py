"""images in float32 run in the region of the caller's, if there is one."""

from contextlib import nullcontext


def _logits(model, images, dtype):
    images = images.contiguous(memory_format=torch.channels_last)
    with nullcontext() if dtype == torch.float32 else torch.autocast(images.device.type, dtype=dtype):
        return model(images).float()
