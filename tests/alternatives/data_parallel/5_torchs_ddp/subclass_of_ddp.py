"""a subclass registers the hook itself, and gives it its own group."""


class _Wrapped(DistributedDataParallel):
    def __init__(self, module, compress, **options):
        super().__init__(module, **options)
        if compress:
            self.register_comm_hook(self.process_group, compress_gradients)


def wrap_ddp(module, compress=False, **options):
    return _Wrapped(module, compress, **options)
