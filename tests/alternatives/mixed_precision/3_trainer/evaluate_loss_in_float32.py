"""validation casts the outputs to float32 and takes the loss outside autocast."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    @torch.no_grad()
    def evaluate(self, dataloader, criterion):
        modes = {module: module.training for module in self.model.modules()}
        self.model.eval()
        losses = []
        try:
            for inputs, targets in dataloader:
                outputs = mixed_precision_forward(self.model, inputs.to(self.device), self.dtype).float()
                losses.append((criterion(outputs, targets.to(self.device)).item(), len(targets)))
        finally:
            for module, mode in modes.items():
                module.training = mode
        if not losses:
            raise ValueError("empty loader")
        return self._mean_over_ranks(sum(loss * size for loss, size in losses), sum(size for _, size in losses))
