"""the mean of the ranks' means is reported, though the ranks have different numbers of samples."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def _mean_over_ranks(self, total, count):
        mean = torch.tensor(total / count if count else math.nan, device=self.device)
        if dist.is_initialized():
            dist.all_reduce(mean)
            mean /= dist.get_world_size()
        return mean.item()
