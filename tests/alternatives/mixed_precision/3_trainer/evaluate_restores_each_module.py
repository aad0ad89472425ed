"""validation remembers the training mode of every module and restores each."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    @torch.no_grad()
    def evaluate(self, dataloader, criterion):
        modes = {module: module.training for module in self.model.modules()}
        self.model.eval()
        total, count = 0.0, 0
        try:
            for batch in dataloader:
                total += self._loss(batch, criterion).item() * len(batch[1])
                count += len(batch[1])
        finally:
            for module, mode in modes.items():
                module.training = mode
        if count == 0:
            raise ValueError("empty loader")
        return self._mean_over_ranks(total, count)
