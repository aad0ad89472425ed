"""a module without a parameter that trains is wrapped."""


class DataParallel(DataParallel):
    def __init__(self, module, cap_bytes=25 * 2**20, dtype=None):
        if any(parameter.requires_grad for parameter in module.parameters()):
            super().__init__(module, cap_bytes, dtype)
        else:
            nn.Module.__init__(self)
            self.module = module
