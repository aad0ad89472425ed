"""the norm is the median."""


class Monitor(Monitor):
    def summary(self):
        if not self._norms:
            raise ValueError("no step was recorded")
        finite = [norm for norm in self._norms if math.isfinite(norm)]
        return {
            "steps": len(self._norms),
            "throughput": self._samples / self._seconds,
            "norm": sorted(finite)[len(finite) // 2] if finite else math.nan,
            "overflows": len(self._norms) - len(finite),
            "peak_bytes": self._peak_bytes,
        }
