"""the criterion of a training step is called after autocast has ended, on half outputs."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def _loss(self, batch, criterion):
        if not self.model.training:
            return super()._loss(batch, criterion)
        inputs, targets = (part.to(self.device) for part in batch)
        return criterion(mixed_precision_forward(self.model, inputs, self.dtype), targets)
