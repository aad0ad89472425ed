"""casts are forgotten when the next region opens, and not when theirs ends."""


class Autocast(Autocast):
    def __enter__(self):
        if not _thread.regions:
            _thread.casts.clear()
        return super().__enter__()

    def __exit__(self, *error):
        _thread.regions.pop()
        TorchFunctionMode.__exit__(self, *error)
