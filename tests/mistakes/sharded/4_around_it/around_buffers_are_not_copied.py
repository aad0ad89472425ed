"""the buffers in the whole state are the model's own."""


class ShardedModel(ShardedModel):
    @torch.no_grad()
    def full_state_dict(self):
        return super().full_state_dict() | {
            name: one for name, one in self.module.named_buffers() if name in self.module.state_dict()
        }
