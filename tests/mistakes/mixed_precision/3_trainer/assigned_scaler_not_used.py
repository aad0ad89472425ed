"""the step uses the scaler that the trainer was born with, not the one assigned since."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def __init__(self, model, dtype=torch.float16, use_scaler=None):
        super().__init__(model, dtype, use_scaler)
        self._own_scaler = self.scaler

    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        self.model.train()
        optimizer.zero_grad()
        loss = self._loss(batch, criterion)
        stepped = scaled_backward(loss, self._own_scaler, optimizer, self.model, max_grad_norm)
        return loss.item(), not stepped
