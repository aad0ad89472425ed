"""the whole batch is cast to half precision, token ids and class indices too."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def _loss(self, batch, criterion):
        inputs, targets = (part.to(self.device, self.dtype) for part in batch)
        with _autocast(self.device.type, self.dtype):
            return criterion(mixed_precision_forward(self.model, inputs, self.dtype), targets)
