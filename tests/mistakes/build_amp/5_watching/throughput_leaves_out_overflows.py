"""steps that overflowed have no part in the throughput."""


class Monitor(Monitor):
    def record(self, samples, seconds, norm, peak_bytes=0):
        if math.isfinite(norm):
            self._samples += samples
            self._seconds += seconds
        self._norms.append(norm)
        self._peak_bytes = max(self._peak_bytes, peak_bytes)

    def summary(self):
        if not self._norms:
            raise ValueError("no step was recorded")
        finite = [norm for norm in self._norms if math.isfinite(norm)]
        return {
            "steps": len(self._norms),
            "throughput": self._samples / (self._seconds or 1.0),
            "norm": sum(finite) / len(finite) if finite else math.nan,
            "overflows": len(self._norms) - len(finite),
            "peak_bytes": self._peak_bytes,
        }
