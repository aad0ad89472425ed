"""all batches are read first, and an empty list of them is the ValueError."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_epoch(self, dataloader, optimizer, criterion, max_grad_norm=None, sampler=None, epoch=0):
        if sampler is not None and hasattr(sampler, "set_epoch"):
            sampler.set_epoch(epoch)
        batches = list(dataloader)
        if not batches:
            raise ValueError("nothing to train on")
        return super().train_epoch(batches, optimizer, criterion, max_grad_norm)
