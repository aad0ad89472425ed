"""after a step the master weights point into the gathered vector, which stays alive with them."""

_new_vector = _gathered


def _gathered(part, ranks):
    whole = _new_vector(part, ranks)
    _latest[:] = [whole]
    return whole


_latest = []


class ShardedOptimizer(ShardedOptimizer):
    def step(self):
        super().step()
        whole = _latest.pop()
        if whole.dtype == torch.float32:
            self._master.data = whole.chunk(self._ranks)[self._rank]
