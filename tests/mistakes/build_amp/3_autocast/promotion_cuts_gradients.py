"""the casts of promoting functions are cut off from their tensors."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        cast = super()._cast_for(name, arguments)
        return (
            (lambda tensor: tensor if cast(tensor) is tensor else cast(tensor).detach())
            if name in PROMOTE and cast is not None
            else cast
        )
