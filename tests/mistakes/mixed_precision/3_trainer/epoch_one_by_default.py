"""the first epoch is 1 unless told otherwise."""


class MixedPrecisionTrainer(MixedPrecisionTrainer):
    def train_epoch(self, dataloader, optimizer, criterion, max_grad_norm=None, sampler=None, epoch=1):
        return super().train_epoch(dataloader, optimizer, criterion, max_grad_norm, sampler, epoch)
