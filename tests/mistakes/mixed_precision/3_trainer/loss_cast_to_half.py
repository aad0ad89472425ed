"""the loss is cast to half precision, where it overflows as soon as it is scaled."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def _loss(self, batch, criterion):
        inputs, targets = (part.to(self.device) for part in batch)
        with _autocast(self.device.type, self.dtype):
            return criterion(mixed_precision_forward(self.model, inputs, self.dtype), targets).to(self.dtype)
