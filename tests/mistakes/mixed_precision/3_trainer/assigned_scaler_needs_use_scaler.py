"""the assigned scaler is only used if scaling was on when the trainer was made."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def __init__(self, model, dtype=torch.float16, use_scaler=None):
        super().__init__(model, dtype, use_scaler)
        self._scaling = self.scaler.is_enabled()

    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        self.model.train()
        optimizer.zero_grad()
        loss = self._loss(batch, criterion)
        scaler = self.scaler if self._scaling else create_grad_scaler(enabled=False)
        stepped = scaled_backward(loss, scaler, optimizer, self.model, max_grad_norm)
        return loss.item(), not stepped
