"""a region with enabled=False takes the one around it off, and does not put it back."""


class Autocast(Autocast):
    def __exit__(self, *error):
        super().__exit__(*error)
        if not self._enabled:
            for region in _thread.regions:
                region._enabled = False
