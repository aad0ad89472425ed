"""train mode is set only if the model itself is not in it."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        if not self.model.training:
            self.model.train()
        optimizer.zero_grad()
        loss = self._loss(batch, criterion)
        stepped = scaled_backward(loss, self.scaler, optimizer, self.model, max_grad_norm)
        return loss.item(), not stepped
