"""a region casts also with enabled=False."""


class Autocast(Autocast):
    def __init__(self, dtype, enabled=True):
        super().__init__(dtype)
