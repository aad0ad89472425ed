"""`update` does not forget what was found: the next `unscale_` is refused."""


def update(self):
    self._stepped.clear()


StaticLossScaler.update = update
