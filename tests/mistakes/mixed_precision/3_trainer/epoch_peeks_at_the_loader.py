"""train_epoch takes a batch out of the loader to see whether it is empty, and a generator does not give it again."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_epoch(self, dataloader, optimizer, criterion, max_grad_norm=None, sampler=None, epoch=0):
        if sampler is not None:
            sampler.set_epoch(epoch)
        total_loss, samples, skipped_steps, total_steps = 0.0, 0, 0, 0
        if next(iter(dataloader), None) is None:
            raise ValueError("the data loader is empty")
        for batch in dataloader:
            loss, skipped = self.train_step(batch, optimizer, criterion, max_grad_norm)
            total_steps += 1
            skipped_steps += skipped
            if math.isfinite(loss):
                total_loss += loss * len(batch[1])
                samples += len(batch[1])
        if total_steps == 0:
            raise ValueError("the data loader is empty")
        loss = self._mean_over_ranks(total_loss, samples)
        return {"loss": loss, "skipped_steps": skipped_steps, "total_steps": total_steps}
