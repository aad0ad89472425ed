"""a region that ends by an exception forgets no casts."""


class Autocast(Autocast):
    def __exit__(self, *error):
        _thread.regions.pop()
        if not _thread.regions and error[0] is None:
            _thread.casts.clear()
        TorchFunctionMode.__exit__(self, *error)
