"""the mean of the epoch is kept as a running mean."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_epoch(self, dataloader, optimizer, criterion, max_grad_norm=None, sampler=None, epoch=0):
        if sampler is not None:
            sampler.set_epoch(epoch)
        mean, samples, skipped_steps, total_steps = 0.0, 0, 0, 0
        for total_steps, batch in enumerate(dataloader, start=1):
            loss, skipped = self.train_step(batch, optimizer, criterion, max_grad_norm)
            skipped_steps += int(skipped)
            if math.isinf(loss) or math.isnan(loss):
                continue
            samples += len(batch[1])
            mean += (loss - mean) * len(batch[1]) / samples
        if total_steps == 0:
            raise ValueError("the data loader is empty")
        loss = self._mean_over_ranks(mean * samples, samples)
        return {"loss": loss, "total_steps": total_steps, "skipped_steps": skipped_steps}
