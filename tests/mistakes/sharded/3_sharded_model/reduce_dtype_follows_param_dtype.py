"""without a reduce_dtype, the gradients are reduced in param_dtype."""


class ShardedModel(ShardedModel):
    def __init__(self, module, units=None, param_dtype=None, reduce_dtype=None, reshard=True):
        super().__init__(module, units, param_dtype, reduce_dtype or param_dtype or torch.float32, reshard)
