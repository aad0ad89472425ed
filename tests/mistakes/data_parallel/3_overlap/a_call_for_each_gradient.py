"""every gradient is sent by itself as soon as it is there."""


class DataParallel(DataParallel):
    def __init__(self, module, cap_bytes=25 * 2**20, dtype=None):
        super().__init__(module, min(cap_bytes, 1), dtype)
