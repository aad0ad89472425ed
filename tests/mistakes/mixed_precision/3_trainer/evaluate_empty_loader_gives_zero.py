"""an empty validation loader gives a perfect loss of 0.0."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    @torch.no_grad()
    def evaluate(self, dataloader, criterion):
        was_training = self.model.training
        self.model.eval()
        total_loss, samples = 0.0, 0
        try:
            for batch in dataloader:
                total_loss += self._loss(batch, criterion).item() * len(batch[1])
                samples += len(batch[1])
        finally:
            self.model.train(was_training)
        if samples == 0:
            return 0.0
        return self._mean_over_ranks(total_loss, samples)
