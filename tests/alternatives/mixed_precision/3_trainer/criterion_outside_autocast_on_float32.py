"""the criterion is called outside of autocast, on outputs that were cast to float32 first."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def _loss(self, batch, criterion):
        inputs, targets = (part.to(self.device) for part in batch)
        return criterion(mixed_precision_forward(self.model, inputs, self.dtype).float(), targets)
