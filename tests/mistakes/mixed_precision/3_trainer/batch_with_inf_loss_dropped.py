"""a batch whose loss is inf is dropped before backward, so the scale does not back off."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        self.model.train()
        optimizer.zero_grad()
        loss = self._loss(batch, criterion)
        if not loss.isfinite():
            return loss.item(), True
        stepped = scaled_backward(loss, self.scaler, optimizer, self.model, max_grad_norm)
        return loss.item(), not stepped
