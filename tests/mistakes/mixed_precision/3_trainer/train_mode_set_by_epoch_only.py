"""only train_epoch sets train mode, so a single train_step on a model in eval mode trains without dropout."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_step(self, batch, optimizer, criterion, max_grad_norm=None):
        optimizer.zero_grad()
        loss = self._loss(batch, criterion)
        stepped = scaled_backward(loss, self.scaler, optimizer, self.model, max_grad_norm)
        return loss.item(), not stepped

    def train_epoch(self, dataloader, optimizer, criterion, max_grad_norm=None, sampler=None, epoch=0):
        self.model.train()
        return super().train_epoch(dataloader, optimizer, criterion, max_grad_norm, sampler, epoch)
