"""an epoch that has been is not gone back to."""


class ShardSampler(ShardSampler):
    def set_epoch(self, epoch):
        self._epoch = max(self._epoch, epoch)
