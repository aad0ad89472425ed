"""only rank 0 gets the averages."""


class DataParallel(DataParallel):
    def _finish(self):
        own = [[_gradient(parameter).clone() for parameter in bucket] for bucket in self._buckets]
        super()._finish()
        if dist.get_rank():
            for bucket, gradients in zip(self._buckets, own, strict=True):
                for parameter, gradient in zip(bucket, gradients, strict=True):
                    parameter.grad.copy_(gradient)
