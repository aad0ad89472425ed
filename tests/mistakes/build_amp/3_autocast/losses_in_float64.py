"""losses are computed in float64."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        if name in FP32:
            return lambda tensor: tensor.double()
        return super()._cast_for(name, arguments)
