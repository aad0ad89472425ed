"""shards() makes new parameters at every call."""


class ShardedModel(ShardedModel):
    def shards(self):
        made = []
        for one in super().shards():
            made.append(nn.Parameter(one.detach(), requires_grad=one.requires_grad))
            made[-1].grad = one.grad
        return made
