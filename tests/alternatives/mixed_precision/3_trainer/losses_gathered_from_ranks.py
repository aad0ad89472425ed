"""the ranks' sums are gathered as objects and added in Python."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def _mean_over_ranks(self, total, count):
        sums = [(total, count)]
        if dist.is_initialized():
            sums = [None] * dist.get_world_size()
            dist.all_gather_object(sums, (total, count))
        total, count = (sum(part) for part in zip(*sums, strict=True))
        return total / count if count else math.nan
