"""hooks sit on the nodes that accumulate gradients, as in DDP before there were tensor hooks for it."""


class DataParallel(DataParallel):
    def __init__(self, module, cap_bytes=25 * 2**20, dtype=None):
        super().__init__(module, cap_bytes, dtype)
        self._nodes = []
        for number, bucket in enumerate(self._buckets):
            for parameter in bucket:
                parameter._post_accumulate_grad_hooks.clear()
                node = parameter.expand_as(parameter).grad_fn.next_functions[0][0]
                node.register_hook(lambda *_, number=number, one=parameter: self._on_gradient(number, one))
                self._nodes.append(node)
