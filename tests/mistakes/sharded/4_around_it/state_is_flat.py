"""the parameters in the whole state have one dimension."""


class ShardedModel(ShardedModel):
    @torch.no_grad()
    def full_state_dict(self):
        return {name: value.reshape(-1) for name, value in super().full_state_dict().items()}
