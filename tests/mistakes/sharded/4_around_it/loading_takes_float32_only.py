"""a state of another floating dtype is refused."""


class ShardedModel(ShardedModel):
    def load_full_state_dict(self, state):
        if any(value.is_floating_point() and value.dtype != torch.float32 for value in state.values()):
            raise ValueError("the state is not in float32")
        super().load_full_state_dict(state)
