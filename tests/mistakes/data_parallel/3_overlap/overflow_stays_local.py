"""a rank keeps a gradient with inf or nan to itself, and sends zeros."""


class DataParallel(DataParallel):
    def _start_next(self):
        bucket = self._buckets[len(self._started)]
        spoilt = [(p, p.grad.clone()) for p in bucket if p.grad is not None and not p.grad.isfinite().all()]
        for parameter, _ in spoilt:
            parameter.grad.zero_()
        finish = _start_average(bucket, self._dtype)

        def restore():
            finish()
            for parameter, gradient in spoilt:
                parameter.grad.copy_(gradient)

        self._started.append(restore)
