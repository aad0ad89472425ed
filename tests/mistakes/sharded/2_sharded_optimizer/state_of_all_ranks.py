"""state_dict gathers the whole state on every rank."""


class ShardedOptimizer(ShardedOptimizer):
    def state_dict(self):
        state = self._optimizer.state_dict()
        for entry in state["state"].values():
            for name, value in entry.items():
                if name != "step" and isinstance(value, Tensor):
                    entry[name] = _gathered(value, self._ranks)
        return state
