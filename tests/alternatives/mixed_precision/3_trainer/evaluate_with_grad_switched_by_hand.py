"""gradients are switched off by hand and back to what they were."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def evaluate(self, dataloader, criterion):
        modes, was_enabled = [(one, one.training) for one in self.model.modules()], torch.is_grad_enabled()
        self.model.train(False)
        torch.set_grad_enabled(False)
        total, count = 0.0, 0
        try:
            for batch in dataloader:
                total += self._loss(batch, criterion).item() * len(batch[1])
                count += len(batch[1])
        finally:
            torch.set_grad_enabled(was_enabled)
            for one, mode in modes:
                one.training = mode
        if count == 0:
            raise ValueError("empty loader")
        return self._mean_over_ranks(total, count)
