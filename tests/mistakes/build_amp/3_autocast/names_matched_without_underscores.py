"""`addmm_` is taken for `addmm`, and writes into a copy."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        return super()._cast_for(name.strip("_"), arguments)
