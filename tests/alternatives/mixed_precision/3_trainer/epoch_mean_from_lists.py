"""losses and sizes are collected in lists and averaged at the end."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_epoch(self, dataloader, optimizer, criterion, max_grad_norm=None, sampler=None, epoch=0):
        if sampler is not None:
            sampler.set_epoch(epoch)
        sizes, results = [], []
        for batch in dataloader:
            sizes.append(len(batch[1]))
            results.append(self.train_step(batch, optimizer, criterion, max_grad_norm))
        if not results:
            raise ValueError("the loader gave no batch")
        finite = [(loss, size) for (loss, _), size in zip(results, sizes, strict=True) if math.isfinite(loss)]
        total = math.fsum(loss * size for loss, size in finite)
        return {
            "loss": self._mean_over_ranks(total, sum(size for _, size in finite)),
            "skipped_steps": sum(skipped for _, skipped in results),
            "total_steps": len(results),
        }
