"""a function is lowered if its name contains one of the list."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        return super()._cast_for(next((listed for listed in LOWER if listed in name), name), arguments)
