"""what the first pass did not use is never waited for again, and its later gradients come too late."""


class DataParallel(DataParallel):
    _unused = None

    def _forget(self):
        if self._unused is None and getattr(self, "_under_way", False):
            self._unused = self._lacking
        super()._forget()
        for number, unused in enumerate(self._unused or []):
            self._lacking[number] -= unused
