"""`model.training = False` reaches the outer module only; dropout inside stays on."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    @torch.no_grad()
    def evaluate(self, dataloader, criterion):
        was_training = self.model.training
        self.model.training = False
        total_loss, samples = 0.0, 0
        try:
            for batch in dataloader:
                total_loss += self._loss(batch, criterion).item() * len(batch[1])
                samples += len(batch[1])
        finally:
            self.model.train(was_training)
        if samples == 0:
            raise ValueError("the data loader is empty")
        return self._mean_over_ranks(total_loss, samples)
