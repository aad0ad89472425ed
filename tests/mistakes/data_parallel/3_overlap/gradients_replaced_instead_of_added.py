"""a pass begins by removing what has accumulated in the gradients."""


class DataParallel(DataParallel):
    def forward(self, *args, **kwargs):
        for bucket in self._buckets:
            for parameter in bucket:
                parameter.grad = None
        return super().forward(*args, **kwargs)
