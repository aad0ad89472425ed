"""the throughput is the mean of the steps' rates."""


class Monitor(Monitor):
    def __init__(self):
        self._samples = 0
        self._seconds = 0.0
        self._rates = []
        self._norms: list[float] = []
        self._peak_bytes = 0

    def record(self, samples, seconds, norm, peak_bytes=0):
        self._samples += samples
        self._seconds += seconds
        self._rates.append(samples / seconds)
        self._norms.append(norm)
        self._peak_bytes = max(self._peak_bytes, peak_bytes)

    def summary(self):
        if not self._norms:
            raise ValueError("no step was recorded")
        finite = [norm for norm in self._norms if math.isfinite(norm)]
        return {
            "steps": len(self._norms),
            "throughput": sum(self._rates) / len(self._rates),
            "norm": sum(finite) / len(finite) if finite else math.nan,
            "overflows": len(self._norms) - len(finite),
            "peak_bytes": self._peak_bytes,
        }
