"""losses and samples are summed over the ranks in half precision."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def _mean_over_ranks(self, total, count):
        sums = torch.tensor([total, count], dtype=torch.bfloat16, device=self.device)
        if dist.is_initialized():
            dist.all_reduce(sums)
        total, count = sums.tolist()
        return total / count if count else math.nan
