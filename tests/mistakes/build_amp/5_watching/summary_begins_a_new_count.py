"""a summary sets the monitor back."""


class Monitor(Monitor):
    def summary(self):
        if not self._norms:
            raise ValueError("no step was recorded")
        finite = [norm for norm in self._norms if math.isfinite(norm)]
        samples, seconds, norms, peak = self._samples, self._seconds, self._norms, self._peak_bytes
        self.__init__()
        return {
            "steps": len(norms),
            "throughput": samples / seconds,
            "norm": sum(finite) / len(finite) if finite else math.nan,
            "overflows": len(norms) - len(finite),
            "peak_bytes": peak,
        }
