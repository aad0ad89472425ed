"""evaluate weights a batch by the elements of its targets instead of its samples."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    @torch.no_grad()
    def evaluate(self, dataloader, criterion):
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        total_loss, samples = 0.0, 0
        try:
            for batch in dataloader:
                total_loss += self._loss(batch, criterion).item() * batch[1].numel()
                samples += batch[1].numel()
        finally:
            for module, mode in modes:
                module.training = mode
        if samples == 0:
            raise ValueError("the data loader is empty")
        return self._mean_over_ranks(total_loss, samples)
