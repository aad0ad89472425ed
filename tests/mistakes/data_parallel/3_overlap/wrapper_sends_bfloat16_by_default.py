"""gradients are sent as bfloat16 if no dtype is given."""


class DataParallel(DataParallel):
    def __init__(self, module, cap_bytes=25 * 2**20, dtype=torch.bfloat16):
        super().__init__(module, cap_bytes, dtype)
