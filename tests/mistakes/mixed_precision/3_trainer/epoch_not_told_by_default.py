"""without a number the sampler is not told the epoch."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_epoch(self, dataloader, optimizer, criterion, max_grad_norm=None, sampler=None, epoch=None):
        told = None if epoch is None else sampler
        return super().train_epoch(dataloader, optimizer, criterion, max_grad_norm, told, epoch)
