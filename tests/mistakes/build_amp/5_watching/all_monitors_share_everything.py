"""a monitor is one for all: its state belongs to the class."""


class Monitor(Monitor):
    _samples, _seconds, _peak_bytes, _norms = 0, 0.0, 0, []

    def __init__(self):
        pass

    def record(self, samples, seconds, norm, peak_bytes=0):
        Monitor._samples += samples
        Monitor._seconds += seconds
        self._norms.append(norm)
        Monitor._peak_bytes = max(Monitor._peak_bytes, peak_bytes)
