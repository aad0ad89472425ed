"""a rank that did not use a parameter sends zeros, and does not take the mean."""


class DataParallel(DataParallel):
    def _start_next(self):
        bucket = self._buckets[len(self._started)]
        unused = [parameter for parameter in bucket if parameter.grad is None]
        finish = _start_average(bucket, self._dtype)

        def drop():
            finish()
            for parameter in unused:
                parameter.grad = None

        self._started.append(drop)
