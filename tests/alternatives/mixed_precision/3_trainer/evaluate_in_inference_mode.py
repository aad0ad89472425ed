"""validation runs under inference mode instead of no_grad."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def evaluate(self, dataloader, criterion):
        was_training = self.model.training
        self.model.eval()
        total, count = 0.0, 0
        try:
            with torch.inference_mode():
                for batch in dataloader:
                    total += float(self._loss(batch, criterion)) * len(batch[1])
                    count += len(batch[1])
        finally:
            self.model.train(was_training)
        if not count:
            raise ValueError("empty loader")
        return self._mean_over_ranks(total, count)
