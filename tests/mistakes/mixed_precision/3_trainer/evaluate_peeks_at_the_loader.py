"""evaluate takes a batch out of the loader to see whether it is empty, and a generator does not give it again."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    @torch.no_grad()
    def evaluate(self, dataloader, criterion):
        if next(iter(dataloader), None) is None:
            raise ValueError("the data loader is empty")
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        total_loss, samples = 0.0, 0
        try:
            for batch in dataloader:
                total_loss += self._loss(batch, criterion).item() * len(batch[1])
                samples += len(batch[1])
        finally:
            for module, mode in modes:
                module.training = mode
        if samples == 0:
            raise ValueError("the data loader is empty")
        return self._mean_over_ranks(total_loss, samples)
