"""the hook averages its argument, which is the parameter and not the gradient."""


class DataParallel(DataParallel):
    def _start_next(self):
        for parameter in self._buckets[len(self._started)]:
            parameter.data /= dist.get_world_size()
            dist.all_reduce(parameter.data)
        self._started.append(lambda: None)
