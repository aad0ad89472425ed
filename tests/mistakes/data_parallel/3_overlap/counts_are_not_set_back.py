"""the counts of missing gradients are not set back: the second backward pass sends nothing in time."""


class DataParallel(DataParallel):
    def _forget(self):
        if not hasattr(self, "_lacking"):
            self._lacking = [len(bucket) for bucket in self._buckets]
        self._started, self._under_way = [], False
