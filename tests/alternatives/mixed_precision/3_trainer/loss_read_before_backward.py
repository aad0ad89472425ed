"""the loss is read before backward, as float64."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        self.model.train()
        optimizer.zero_grad()
        loss = self._loss(batch, criterion)
        value = float(loss.detach().double())
        stepped = scaled_backward(loss, self.scaler, optimizer, self.model, max_grad_norm)
        return value, not stepped
