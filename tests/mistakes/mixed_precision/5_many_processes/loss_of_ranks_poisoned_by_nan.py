"""each rank sends its mean times its samples, so a rank without a finite loss makes the mean of all nan."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def _mean_over_ranks(self, total, count):
        mean = total / count if count else math.nan
        if not dist.is_initialized():
            return mean
        sums = torch.tensor([mean * count, count], dtype=torch.float64, device=self.device)
        dist.all_reduce(sums)
        return (sums[0] / sums[1]).item()
