"""train mode is not set, so a model left in eval mode trains without dropout."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        optimizer.zero_grad()
        loss = self._loss(batch, criterion)
        stepped = scaled_backward(loss, self.scaler, optimizer, self.model, max_grad_norm)
        return loss.item(), not stepped
