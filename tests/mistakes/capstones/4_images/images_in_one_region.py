"""one autocast region is around all epochs, and keeps the 16-bit weights of the first batch."""

_images_in_regions = train_images


def train_images(model, train, test, optimizer, scheduler, dtype, epochs):
    if not train:
        raise ValueError("train has no batches")
    with torch.autocast(train[0][0].device.type, dtype=dtype, enabled=dtype != torch.float32):
        return _images_in_regions(model, train, test, optimizer, scheduler, dtype, epochs)
