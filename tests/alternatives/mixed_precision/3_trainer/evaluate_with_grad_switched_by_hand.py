"""gradients are switched off by hand and back to what they were."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def evaluate(self, dataloader, criterion):
        was_training, was_enabled = self.model.training, torch.is_grad_enabled()
        self.model.train(False)
        torch.set_grad_enabled(False)
        total, count = 0.0, 0
        try:
            for batch in dataloader:
                total += self._loss(batch, criterion).item() * len(batch[1])
                count += len(batch[1])
        finally:
            torch.set_grad_enabled(was_enabled)
            self.model.train(was_training)
        if count == 0:
            raise ValueError("empty loader")
        return self._mean_over_ranks(total, count)
