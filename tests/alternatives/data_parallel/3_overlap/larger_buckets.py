"""a bucket ends with the parameter that takes it over the cap, as torch's do."""


class DataParallel(DataParallel):
    def __init__(self, module, cap_bytes=25 * 2**20, dtype=None):
        super().__init__(module, cap_bytes, dtype)
        trained = [parameter for bucket in self._buckets for parameter in bucket]
        self._buckets = [[]]
        for parameter in trained:
            newest = self._buckets[-1]
            if newest and (sum(one.nbytes for one in newest) >= cap_bytes or newest[0].dtype != parameter.dtype):
                self._buckets.append([])
            self._buckets[-1].append(parameter)
        self._forget()
        for number, bucket in enumerate(self._buckets):
            for parameter in bucket:
                parameter._post_accumulate_grad_hooks.clear()
                parameter.register_post_accumulate_grad_hook(functools.partial(self._on_gradient, number))
