"""an empty validation loader ends in a ZeroDivisionError."""


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
        return total_loss / samples
