"""targets are cast to integers, which ruins a regression."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def _loss(self, batch, criterion):
        inputs, targets = (part.to(self.device) for part in batch)
        targets = targets.long()
        with _autocast(self.device.type, self.dtype):
            return criterion(mixed_precision_forward(self.model, inputs, self.dtype), targets)
