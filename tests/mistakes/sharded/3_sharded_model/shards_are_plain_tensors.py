"""shards() gives detached tensors, which no optimizer trains."""


class ShardedModel(ShardedModel):
    def shards(self):
        return [one.data for one in super().shards()]

    def named_parameters(self, *args, **kwargs):
        return iter(())
