"""the loss of rank 0 is reported as that of all."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def _mean_over_ranks(self, total, count):
        mean = torch.tensor(total / count if count else math.nan, dtype=torch.float64, device=self.device)
        if dist.is_initialized():
            dist.broadcast(mean, 0)
        return mean.item()
