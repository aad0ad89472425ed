"""a summary that is refused leaves a step behind."""


class Monitor(Monitor):
    def summary(self):
        if not self._norms:
            self._norms.append(0.0)
            raise ValueError("no step was recorded")
        finite = [norm for norm in self._norms if math.isfinite(norm)]
        return {
            "steps": len(self._norms),
            "throughput": self._samples / self._seconds,
            "norm": sum(finite) / len(finite) if finite else math.nan,
            "overflows": len(self._norms) - len(finite),
            "peak_bytes": self._peak_bytes,
        }
