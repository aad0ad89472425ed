"""the state has the moments alone, without the settings of the optimizer."""


class ShardedOptimizer(ShardedOptimizer):
    def state_dict(self):
        return {"state": super().state_dict()["state"]}
