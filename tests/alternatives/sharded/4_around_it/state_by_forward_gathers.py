"""collects the whole state name by name."""


class ShardedModel(ShardedModel):
    @torch.no_grad()
    def full_state_dict(self):
        values = {}
        for unit in self._units:
            for flat in unit.flats:
                parts = [torch.empty_like(flat.shard) for _ in range(flat.ranks)]
                dist.all_gather(parts, flat.shard.detach())
                place, whole = 0, torch.cat(parts)
                for parameter in flat.parameters:
                    values[id(parameter)] = whole[place : place + parameter.numel()].reshape(parameter.shape).clone()
                    place += parameter.numel()
        state = {}
        for name, value in self.module.state_dict(keep_vars=True).items():
            state[name] = values[id(value)] if id(value) in values else value.detach().clone()
        return state
