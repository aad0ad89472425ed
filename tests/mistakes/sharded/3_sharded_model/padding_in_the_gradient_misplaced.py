"""every gradient is padded by itself, while the weights are padded at the end."""


class _Flat(_Flat):
    def reduce(self):
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in self.parameters]
        for parameter in self.parameters:
            parameter.grad = None
        whole = flatten(gradients, self.ranks).to(self.reduce_dtype)
        parts = [torch.nn.functional.pad(one.reshape(-1), (0, 1)) for one in gradients]
        flat = torch.cat(parts)[: len(whole)].to(self.reduce_dtype)
        mean = _mean_of_shard(flat, self.ranks).float()
        self.shard.grad = mean if self.shard.grad is None else self.shard.grad + mean
