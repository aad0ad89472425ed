"""bfloat16 weights alone are gathered in their dtype: float16 ones are sent in float32."""


class ShardedOptimizer(ShardedOptimizer):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._dtype = torch.bfloat16 if self._dtype == torch.bfloat16 else torch.float32
