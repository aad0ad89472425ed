"""only the gradient of the last pass is averaged; what had accumulated before stays each rank's own."""


class DataParallel(DataParallel):
    def forward(self, *args, **kwargs):
        self._before = None
        if self._synchronizes:
            self._before = [[None if p.grad is None else p.grad.clone() for p in one] for one in self._buckets]
        return super().forward(*args, **kwargs)

    def _start_next(self):
        number = len(self._started)
        bucket, before = self._buckets[number], self._before[number]
        for parameter, old in zip(bucket, before, strict=True):
            if old is not None:
                parameter.grad -= old
        finish = _start_average(bucket, self._dtype)

        def add():
            finish()
            for parameter, old in zip(bucket, before, strict=True):
                if old is not None:
                    parameter.grad += old

        self._started.append(add)
