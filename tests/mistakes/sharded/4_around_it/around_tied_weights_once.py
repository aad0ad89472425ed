"""a tied weight is in the whole state under its first name only."""


class ShardedModel(ShardedModel):
    @torch.no_grad()
    def full_state_dict(self):
        names = {name for name, _ in self.module.named_parameters()} | {name for name, _ in self.module.named_buffers()}
        return {name: value for name, value in super().full_state_dict().items() if name in names}
