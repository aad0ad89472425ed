"""the new weights are written into the flattened parameter, which is a copy where it is not contiguous."""


class ShardedOptimizer(ShardedOptimizer):
    def step(self):
        before = [one.detach().clone() for one in self._parameters]
        super().step()
        for one, old in zip(self._parameters, before, strict=True):
            if not one.is_contiguous():
                one.data.copy_(old)
