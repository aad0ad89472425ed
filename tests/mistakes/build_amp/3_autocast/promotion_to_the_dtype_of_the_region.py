"""the functions of PROMOTE run in the dtype of the region."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        if name in PROMOTE:
            return self._lowered
        return super()._cast_for(name, arguments)
