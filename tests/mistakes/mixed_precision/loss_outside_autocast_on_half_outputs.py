"""the loss is computed outside autocast from half-precision outputs."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def _loss(self, batch, criterion):
        inputs, targets = (part.to(self.device) for part in batch)
        return criterion(mixed_precision_forward(self.model, inputs, self.dtype), targets)
