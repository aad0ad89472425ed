"""one autocast region covers the whole step, backward too."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        with _autocast(self.device.type, self.dtype):
            return super().train_step(batch, optimizer, criterion, max_grad_norm)
