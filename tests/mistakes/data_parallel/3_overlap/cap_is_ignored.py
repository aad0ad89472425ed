"""all gradients of a dtype are in one bucket, whatever the cap."""


class DataParallel(DataParallel):
    def __init__(self, module, cap_bytes=25 * 2**20, dtype=None):
        super().__init__(module, 2**40 if cap_bytes > 0 else cap_bytes, dtype)
