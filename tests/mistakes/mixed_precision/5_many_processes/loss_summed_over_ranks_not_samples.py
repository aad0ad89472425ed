"""losses are summed over all ranks, and divided by one rank's samples."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def _mean_over_ranks(self, total, count):
        total = torch.tensor(total, dtype=torch.float64, device=self.device)
        if dist.is_initialized():
            dist.all_reduce(total)
        return total.item() / count if count else math.nan
