"""a step counts as skipped when its loss is inf or nan, whatever the gradients were."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        self.model.train()
        optimizer.zero_grad()
        loss = self._loss(batch, criterion)
        value = loss.item()
        scaled_backward(loss, self.scaler, optimizer, self.model, max_grad_norm)
        return value, not math.isfinite(value)
