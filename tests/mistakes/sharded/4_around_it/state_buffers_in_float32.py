"""floating buffers are float32 in the state, as parameters are."""


class ShardedModel(ShardedModel):
    def full_state_dict(self):
        state = super().full_state_dict()
        return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
