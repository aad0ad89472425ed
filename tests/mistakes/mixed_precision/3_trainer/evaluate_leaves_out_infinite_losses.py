"""evaluate leaves batches with an inf or nan loss out."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def evaluate(self, dataloader, criterion):
        batches = list(dataloader)
        kept = []
        for batch in batches:
            loss = super().evaluate([batch], criterion)
            if math.isfinite(loss):
                kept.append(batch)
        return super().evaluate(kept, criterion) if kept or not batches else math.nan
