"""train_step returns the mean over all ranks."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        loss, skipped = super().train_step(batch, optimizer, criterion, max_grad_norm)
        return self._mean_over_ranks(loss, 1), skipped
