"""ranks tell each other in no_sync that they skip the sum."""


class DataParallel(DataParallel):
    def forward(self, *args, **kwargs):
        if not self._synchronizes:
            dist.all_reduce(torch.zeros(1, dtype=torch.int64))
        return super().forward(*args, **kwargs)
