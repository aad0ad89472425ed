"""the loss is computed and reported, but there is no backward pass and no step."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        self.model.train()
        optimizer.zero_grad()
        loss = self._loss(batch, criterion)
        return loss.item(), False
