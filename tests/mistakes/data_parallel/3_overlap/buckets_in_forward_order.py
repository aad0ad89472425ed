"""the buckets begin with the first layers, whose gradients come last."""


class DataParallel(DataParallel):
    def __init__(self, module, cap_bytes=25 * 2**20, dtype=None):
        super().__init__(module, cap_bytes, dtype)
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        backwards = make_buckets(trained[::-1], cap_bytes)
        self._buckets = [[trained[len(trained) - 1 - i] for i in bucket] for bucket in backwards]
        self._forget()
        for parameter in trained:
            parameter._post_accumulate_grad_hooks.clear()
        for number, bucket in enumerate(self._buckets):
            for parameter in bucket:
                parameter.register_post_accumulate_grad_hook(functools.partial(self._on_gradient, number))
