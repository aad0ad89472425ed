"""the trainer always takes cross entropy, whatever criterion it is given."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def _loss(self, batch, criterion):
        inputs, targets = (part.to(self.device) for part in batch)
        with _autocast(self.device.type, self.dtype):
            return F.cross_entropy(mixed_precision_forward(self.model, inputs, self.dtype), targets)
