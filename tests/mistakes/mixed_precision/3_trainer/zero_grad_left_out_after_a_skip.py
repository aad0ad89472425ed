"""the gradients are zeroed after good steps only, so the nan of a skipped one stays for ever."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        self.model.train()
        loss = self._loss(batch, criterion)
        stepped = scaled_backward(loss, self.scaler, optimizer, self.model, max_grad_norm)
        if stepped:
            optimizer.zero_grad()
        return loss.item(), not stepped
