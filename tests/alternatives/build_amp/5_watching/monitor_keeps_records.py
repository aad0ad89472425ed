"""all steps are kept, and the sums are made when they are asked for."""


class Monitor:
    def __init__(self):
        self.steps = []

    def record(self, samples, seconds, norm, peak_bytes=0):
        self.steps.append((samples, seconds, norm, peak_bytes))

    def summary(self):
        if len(self.steps) == 0:
            raise ValueError("record a step first")
        samples, seconds, norms, peaks = zip(*self.steps, strict=True)
        good = torch.tensor([norm for norm in norms if norm - norm == 0], dtype=torch.float64)
        return {
            "peak_bytes": max(peaks),
            "overflows": sum(1 for norm in norms if math.isinf(norm) or math.isnan(norm)),
            "norm": good.mean().item(),
            "throughput": math.fsum(samples) / math.fsum(seconds),
            "steps": len(norms),
        }
