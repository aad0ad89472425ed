"""the region is one of torch.autocast for a CPU, which does not notice a changed weight."""


class Autocast(torch.autocast):
    def __init__(self, dtype, enabled=True):
        super().__init__("cpu", dtype, enabled)
