"""validation runs in float32 instead of the precision of training."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    @torch.no_grad()
    def evaluate(self, dataloader, criterion):
        was_training = self.model.training
        self.model.eval()
        total_loss, samples = 0.0, 0
        try:
            for batch in dataloader:
                inputs, targets = (part.to(self.device) for part in batch)
                total_loss += criterion(self.model(inputs), targets).item() * len(targets)
                samples += len(targets)
        finally:
            self.model.train(was_training)
        if samples == 0:
            raise ValueError("the data loader is empty")
        return self._mean_over_ranks(total_loss, samples)
