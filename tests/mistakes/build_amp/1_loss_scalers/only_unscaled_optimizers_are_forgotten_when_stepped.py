"""`update` forgets only the optimizers that stepped: one that was unscaled only stays so."""


def update(self):
    for optimizer in self._stepped:
        del self._finite[optimizer]
    self._stepped.clear()


StaticLossScaler.update = update
