"""a second backward pass is added in reduce_dtype, and the sum made float32 after that."""


class _Flat(_Flat):
    def reduce(self):
        before, self.shard.grad = self.shard.grad, None
        super().reduce()
        if before is not None:
            self.shard.grad = (before.to(self.reduce_dtype) + self.shard.grad.to(self.reduce_dtype)).float()
