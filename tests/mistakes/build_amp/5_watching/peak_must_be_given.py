"""record asks for a peak."""


class Monitor(Monitor):
    def record(self, samples, seconds, norm, peak_bytes):
        self._samples += samples
        self._seconds += seconds
        self._norms.append(norm)
        self._peak_bytes = max(self._peak_bytes, peak_bytes)
