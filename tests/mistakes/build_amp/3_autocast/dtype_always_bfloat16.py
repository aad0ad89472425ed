"""every region runs in bfloat16."""


class Autocast(Autocast):
    def __init__(self, dtype, enabled=True):
        super().__init__(torch.bfloat16, enabled)
