"""the loss is computed outside autocast, from outputs cast to float32."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def _loss(self, batch, criterion):
        inputs, targets = (part.to(self.device) for part in batch)
        outputs = mixed_precision_forward(self.model, inputs, self.dtype)
        return criterion(outputs.float(), targets)
