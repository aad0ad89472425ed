"""the trainer calls the model without autocast, so everything runs in float32."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def _loss(self, batch, criterion):
        inputs, targets = (part.to(self.device) for part in batch)
        return criterion(self.model(inputs), targets)
