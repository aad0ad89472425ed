"""casts are forgotten when the last region that is on has ended, though one that is off goes on around it."""


class Autocast(Autocast):
    def __exit__(self, *error):
        super().__exit__(*error)
        if not any(region._enabled for region in _thread.regions):
            _thread.casts.clear()
