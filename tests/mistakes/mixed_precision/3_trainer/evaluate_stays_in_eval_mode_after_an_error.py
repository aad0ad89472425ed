"""evaluate puts the modes back only if nothing raises."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def evaluate(self, dataloader, criterion):
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        with torch.no_grad():
            pairs = [(self._loss(batch, criterion).item() * len(batch[1]), len(batch[1])) for batch in dataloader]
        if not pairs:
            raise ValueError("empty loader")
        for module, mode in modes:
            module.training = mode
        return self._mean_over_ranks(*map(sum, zip(*pairs, strict=True)))
