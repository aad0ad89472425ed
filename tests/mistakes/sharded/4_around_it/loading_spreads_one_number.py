"""a buffer of one number is taken in any shape, and copied to all places."""


class ShardedModel(ShardedModel):
    def load_full_state_dict(self, state):
        buffers = dict(self.module.named_buffers())
        state = (
            {
                name: value.expand(buffers[name].shape) if name in buffers and value.numel() == 1 else value
                for name, value in state.items()
            }
            if all(one.numel() > 1 or one.dim() == 0 for one in buffers.values())
            else state
        )
        super().load_full_state_dict(state)
