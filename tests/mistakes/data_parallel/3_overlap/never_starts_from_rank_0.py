"""every rank starts from its own parameters and buffers."""


class DataParallel(DataParallel):
    def __init__(self, module, cap_bytes=25 * 2**20, dtype=None):
        own = [t.detach().clone() for t in [*module.parameters(), *module.buffers()]]
        super().__init__(module, cap_bytes, dtype)
        for tensor, value in zip([*module.parameters(), *module.buffers()], own, strict=True):
            tensor.detach().copy_(value)
