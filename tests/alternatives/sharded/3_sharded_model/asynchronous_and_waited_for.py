"""starts the collectives asynchronously and waits for them where the result is needed."""


class _Flat(_Flat):
    def gather(self):
        storage = self.whole.untyped_storage()
        if storage.nbytes() < self.bytes:
            storage.resize_(self.bytes)
            part = self.shard.detach().to(self.whole.dtype)
            all_gather(self.whole, part, async_op=True).wait()

    def reduce(self):
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in self.parameters]
        whole = flatten(gradients, self.ranks).to(self.reduce_dtype)
        part = whole.new_empty(len(whole) // self.ranks)
        work = reduce_scatter(part, whole, async_op=True)
        for parameter in self.parameters:
            parameter.grad = None
        work.wait()
        mean = part.float() / self.ranks
        self.shard.grad = mean if self.shard.grad is None else self.shard.grad + mean
