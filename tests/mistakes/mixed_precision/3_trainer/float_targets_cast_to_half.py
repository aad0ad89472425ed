"""float targets are rounded to half precision, where 70000 is inf."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def _loss(self, batch, criterion):
        inputs, targets = (part.to(self.device) for part in batch)
        if targets.is_floating_point():
            targets = targets.to(self.dtype)
        with _autocast(self.device.type, self.dtype):
            return criterion(mixed_precision_forward(self.model, inputs, self.dtype), targets)
