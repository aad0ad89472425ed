"""a rank whose loss is nan is left out of the mean of evaluate."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def evaluate(self, dataloader, criterion):
        mean = self._mean_over_ranks
        self._mean_over_ranks = lambda total, count: mean(total, count) if math.isfinite(total) else mean(0.0, 0)
        try:
            return super().evaluate(dataloader, criterion)
        finally:
            del self._mean_over_ranks
