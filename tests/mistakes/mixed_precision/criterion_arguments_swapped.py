"""the criterion is called with (targets, outputs)."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def _loss(self, batch, criterion):
        inputs, targets = (part.to(self.device) for part in batch)
        with _autocast(self.device.type, self.dtype):
            return criterion(targets, mixed_precision_forward(self.model, inputs, self.dtype))
