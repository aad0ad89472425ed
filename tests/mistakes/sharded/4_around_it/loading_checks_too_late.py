"""the parameters are loaded before the names and shapes of all are compared."""


class ShardedModel(ShardedModel):
    @torch.no_grad()
    def load_full_state_dict(self, state):
        own = self.module.state_dict(keep_vars=True)
        new = {value: state[name] for name, value in own.items() if name in state}
        for unit in self._units:
            for flat in unit.flats:
                if all(one in new and new[one].shape == one.shape for one in flat.parameters):
                    flat.take([new[one] for one in flat.parameters])
        super().load_full_state_dict(state)
