"""the first summary is kept, and given from then on."""


class Monitor(Monitor):
    def summary(self):
        if hasattr(self, "_summary"):
            return self._summary
        if not self._norms:
            raise ValueError("no step was recorded")
        finite = [norm for norm in self._norms if math.isfinite(norm)]
        self._summary = {
            "steps": len(self._norms),
            "throughput": self._samples / self._seconds,
            "norm": sum(finite) / len(finite) if finite else math.nan,
            "overflows": len(self._norms) - len(finite),
            "peak_bytes": self._peak_bytes,
        }
        return self._summary
