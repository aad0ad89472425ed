"""the reported loss is still multiplied by the loss scale."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        self.model.train()
        optimizer.zero_grad()
        loss = self._loss(batch, criterion)
        scaled = self.scaler.scale(loss).item()
        stepped = scaled_backward(loss, self.scaler, optimizer, self.model, max_grad_norm)
        return scaled, not stepped
