"""the cap is checked when rank 0's parameters have been sent already."""


class DataParallel(DataParallel):
    def __init__(self, module, cap_bytes=25 * 2**20, dtype=None):
        if any(parameter.requires_grad for parameter in module.parameters()):
            broadcast_model(module)
        super().__init__(module, cap_bytes, dtype)
