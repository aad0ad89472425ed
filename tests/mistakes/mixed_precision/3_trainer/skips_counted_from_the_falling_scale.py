"""steps are counted as skipped where the scale falls, so none is with the scaler off."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        before = self.scaler.get_scale()
        loss, _ = super().train_step(batch, optimizer, criterion, max_grad_norm)
        return loss, self.scaler.get_scale() < before
