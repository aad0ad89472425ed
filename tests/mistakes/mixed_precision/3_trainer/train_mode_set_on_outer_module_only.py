"""`model.training = True` reaches the outer module only; dropout inside stays off."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        self.model.training = True
        optimizer.zero_grad()
        loss = self._loss(batch, criterion)
        stepped = scaled_backward(loss, self.scaler, optimizer, self.model, max_grad_norm)
        return loss.item(), not stepped
