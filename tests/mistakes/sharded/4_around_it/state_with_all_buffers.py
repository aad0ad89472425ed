"""the whole state has the buffers that are not saved, too."""


class ShardedModel(ShardedModel):
    @torch.no_grad()
    def full_state_dict(self):
        return super().full_state_dict() | {name: value.clone() for name, value in self.module.named_buffers()}
