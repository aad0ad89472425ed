"""every rank reports the mean loss of its own samples."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def _mean_over_ranks(self, total, count):
        return total / count if count else math.nan
