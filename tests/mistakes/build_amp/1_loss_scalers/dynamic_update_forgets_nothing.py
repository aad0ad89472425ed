"""the dynamic `update` adapts the scale and does not forget what was found."""

_update = DynamicLossScaler.update


def update(self):
    found = dict(self._finite)
    _update(self)
    self._finite.update({optimizer: flag for optimizer, flag in found.items() if not flag})


DynamicLossScaler.update = update
