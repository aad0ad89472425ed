"""parameters in no unit stay each rank's own."""


class ShardedModel(ShardedModel):
    def __init__(self, module, *args, **kwargs):
        own = {one: one.detach().clone() for one in module.parameters(recurse=False)}
        super().__init__(module, *args, **kwargs)
        for unit in self._units:
            for flat in unit.flats:
                if any(one in own for one in flat.parameters):
                    rows = [own.get(one, whole) for one, whole in zip(flat.parameters, flat.gathered_in_float32())]
                    with torch.no_grad():
                        flat.take(rows)
