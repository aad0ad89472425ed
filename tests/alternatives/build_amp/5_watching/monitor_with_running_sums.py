"""only sums are kept."""


class Monitor:
    def __init__(self):
        self.steps = self.samples = self.overflows = self.peak = 0
        self.seconds = self.norms = 0.0

    def record(self, samples, seconds, norm, peak_bytes=0):
        self.steps += 1
        self.samples += samples
        self.seconds += seconds
        self.peak = peak_bytes if peak_bytes > self.peak else self.peak
        if math.isfinite(norm):
            self.norms += norm
        else:
            self.overflows += 1

    def summary(self):
        if self.steps == 0:
            raise ValueError("nothing was recorded")
        finite = self.steps - self.overflows
        norm = self.norms / finite if finite else float("nan")
        throughput = self.samples / self.seconds
        counts = {"steps": self.steps, "overflows": self.overflows, "peak_bytes": self.peak}
        return counts | {"throughput": throughput, "norm": norm}
