"""the end of an inner region forgets the casts of the one around it."""


class Autocast(Autocast):
    def __exit__(self, *error):
        _thread.casts.clear()
        _thread.regions.pop()
        TorchFunctionMode.__exit__(self, *error)
