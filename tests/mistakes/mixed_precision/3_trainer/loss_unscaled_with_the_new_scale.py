"""the scaled loss is divided by the scale after the step, which may have changed in it."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        self.model.train()
        optimizer.zero_grad()
        loss = self._loss(batch, criterion)
        scaled = self.scaler.scale(loss).item()
        stepped = scaled_backward(loss, self.scaler, optimizer, self.model, max_grad_norm)
        return scaled / self.scaler.get_scale(), not stepped
