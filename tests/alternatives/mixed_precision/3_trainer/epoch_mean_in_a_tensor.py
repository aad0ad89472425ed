"""the sums of the epoch are kept in one float64 tensor."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_epoch(self, dataloader, optimizer, criterion, max_grad_norm=None, sampler=None, epoch=0):
        if sampler is not None:
            sampler.set_epoch(epoch)
        sums = torch.zeros(4, dtype=torch.float64)
        for inputs, targets in dataloader:
            loss, skipped = self.train_step((inputs, targets), optimizer, criterion, max_grad_norm)
            count = targets.shape[0] if math.isfinite(loss) else 0
            sums += torch.tensor([loss * count if count else 0.0, count, skipped, 1], dtype=torch.float64)
        total_loss, samples, skipped_steps, total_steps = sums.tolist()
        if not total_steps:
            raise ValueError("no batches")
        loss = self._mean_over_ranks(total_loss, samples)
        return {"loss": loss, "skipped_steps": int(skipped_steps), "total_steps": int(total_steps)}
