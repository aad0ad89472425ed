"""the model is left in eval mode after validation."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    @torch.no_grad()
    def evaluate(self, dataloader, criterion):
        self.model.eval()
        total_loss, samples = 0.0, 0
        for batch in dataloader:
            total_loss += self._loss(batch, criterion).item() * len(batch[1])
            samples += len(batch[1])
        if samples == 0:
            raise ValueError("the data loader is empty")
        return self._mean_over_ranks(total_loss, samples)
