"""only the parameters start from rank 0, the buffers do not."""


class DataParallel(DataParallel):
    def __init__(self, module, cap_bytes=25 * 2**20, dtype=None):
        own = [buffer.clone() for buffer in module.buffers()]
        super().__init__(module, cap_bytes, dtype)
        for buffer, value in zip(module.buffers(), own, strict=True):
            buffer.copy_(value)
