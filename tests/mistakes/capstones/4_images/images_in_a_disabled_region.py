"""a disabled autocast region is around all epochs, and the casts of the regions inside of it are kept."""

_images_without_region = train_images


def train_images(model, train, test, optimizer, scheduler, dtype, epochs):
    if not train:
        raise ValueError("train has no batches")
    with torch.autocast(train[0][0].device.type, enabled=False):
        return _images_without_region(model, train, test, optimizer, scheduler, dtype, epochs)
