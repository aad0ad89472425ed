"""without a step there is a summary of zeros."""


class Monitor(Monitor):
    def summary(self):
        if not self._norms:
            return {"steps": 0, "throughput": 0.0, "norm": math.nan, "overflows": 0, "peak_bytes": 0}
        finite = [norm for norm in self._norms if math.isfinite(norm)]
        return {
            "steps": len(self._norms),
            "throughput": self._samples / self._seconds,
            "norm": sum(finite) / len(finite) if finite else math.nan,
            "overflows": len(self._norms) - len(finite),
            "peak_bytes": self._peak_bytes,
        }
