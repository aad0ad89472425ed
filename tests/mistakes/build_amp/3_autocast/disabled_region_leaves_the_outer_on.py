"""with enabled=False a region does nothing, so that the one around it goes on casting."""


class Autocast(Autocast):
    def __enter__(self):
        return super().__enter__() if self._enabled else self

    def __exit__(self, *error):
        return super().__exit__(*error) if self._enabled else None
