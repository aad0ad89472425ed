"""the whole state has the parameters only."""


class ShardedModel(ShardedModel):
    @torch.no_grad()
    def full_state_dict(self):
        buffers = dict(self.module.named_buffers())
        return {name: value for name, value in super().full_state_dict().items() if name not in buffers}
