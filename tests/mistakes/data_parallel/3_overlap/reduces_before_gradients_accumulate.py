"""a tensor hook averages each new gradient before it is added, in the order in which this rank makes them."""


class DataParallel(DataParallel):
    def __init__(self, module, cap_bytes=25 * 2**20, dtype=None):
        super().__init__(module, cap_bytes, dtype)
        for bucket in self._buckets:
            for parameter in bucket:
                parameter._post_accumulate_grad_hooks.clear()
                parameter.register_hook(self._average)

    def _average(self, gradient):
        if self._synchronizes:
            gradient = (gradient / dist.get_world_size()).to(self._dtype or gradient.dtype)
            dist.all_reduce(gradient)
        return gradient
