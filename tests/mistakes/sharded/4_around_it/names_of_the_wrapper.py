"""the names in the whole state begin with "module."."""


class ShardedModel(ShardedModel):
    @torch.no_grad()
    def full_state_dict(self):
        return {f"module.{name}": value for name, value in super().full_state_dict().items()}
