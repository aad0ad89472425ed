"""train_step scales the loss, and scaled_backward scales it once more."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        self.model.train()
        optimizer.zero_grad()
        loss = self._loss(batch, criterion)
        scaled = self.scaler.scale(loss)
        stepped = scaled_backward(scaled, self.scaler, optimizer, self.model, max_grad_norm)
        return loss.item(), not stepped
