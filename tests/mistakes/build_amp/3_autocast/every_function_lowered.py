"""every function gets its tensors in half."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        inside = name in FP32 | PROMOTE or name.startswith("__") or name in ("to", "float", "_version", "detach")
        return super()._cast_for(name, arguments) if inside else self._lowered
