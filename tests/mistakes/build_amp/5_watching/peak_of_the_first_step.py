"""the peak of the first step stays."""


class Monitor(Monitor):
    def record(self, samples, seconds, norm, peak_bytes=0):
        self._samples += samples
        self._seconds += seconds
        self._norms.append(norm)
        self._peak_bytes = self._peak_bytes or peak_bytes
