"""frozen parameters are missing from the whole state."""


class ShardedModel(ShardedModel):
    @torch.no_grad()
    def full_state_dict(self):
        frozen = {name for name, one in self.module.named_parameters() if not one.requires_grad}
        return {name: value for name, value in super().full_state_dict().items() if name not in frozen}
