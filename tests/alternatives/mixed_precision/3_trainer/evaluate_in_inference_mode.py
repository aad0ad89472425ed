"""validation runs under inference mode instead of no_grad."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def evaluate(self, dataloader, criterion):
        training = {module for module in self.model.modules() if module.training}
        self.model.eval()
        total, count = 0.0, 0
        try:
            with torch.inference_mode():
                for batch in dataloader:
                    total += float(self._loss(batch, criterion)) * len(batch[1])
                    count += len(batch[1])
        finally:
            for module in self.model.modules():
                module.training = module in training
        if not count:
            raise ValueError("empty loader")
        return self._mean_over_ranks(total, count)
