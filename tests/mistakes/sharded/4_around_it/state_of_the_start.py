"""the whole state is remembered from construction and from loading, and does not follow the training."""


class ShardedModel(ShardedModel):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._remembered = super().full_state_dict()

    def full_state_dict(self):
        return {name: value.clone() for name, value in self._remembered.items()}

    def load_full_state_dict(self, state):
        super().load_full_state_dict(state)
        self._remembered = super().full_state_dict()
