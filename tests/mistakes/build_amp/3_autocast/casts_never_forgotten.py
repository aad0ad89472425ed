"""casts are kept for ever, and so are the weights."""


class Autocast(Autocast):
    def __exit__(self, *error):
        _thread.regions.pop()
        TorchFunctionMode.__exit__(self, *error)
