"""the forward pass leaves the dtype at its default, so bfloat16 and float32 train in float16."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def _loss(self, batch, criterion):
        inputs, targets = (part.to(self.device) for part in batch)
        with _autocast(self.device.type, self.dtype):
            return criterion(mixed_precision_forward(self.model, inputs), targets)
