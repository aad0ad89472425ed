"""scaled_backward runs inside the autocast region of the loss."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        self.model.train()
        optimizer.zero_grad()
        with _autocast(self.device.type, self.dtype):
            loss = self._loss(batch, criterion)
            stepped = scaled_backward(loss, self.scaler, optimizer, self.model, max_grad_norm)
        return loss.item(), not stepped
