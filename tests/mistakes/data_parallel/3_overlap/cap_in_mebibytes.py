"""the cap is taken for a number of MiB, as torch's bucket_cap_mb is."""


class DataParallel(DataParallel):
    def __init__(self, module, cap_bytes=25, dtype=None):
        super().__init__(module, cap_bytes * 2**20, dtype)
