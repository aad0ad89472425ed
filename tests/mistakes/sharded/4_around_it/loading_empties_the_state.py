"""what has been loaded is taken out of the caller's state."""


class ShardedModel(ShardedModel):
    def load_full_state_dict(self, state):
        super().load_full_state_dict({name: state.pop(name) for name in list(state)})
