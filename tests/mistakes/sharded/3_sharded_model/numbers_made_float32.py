"""an output that is a single number, such as a loss, is cast to float32."""


class ShardedModel(ShardedModel):
    def forward(self, *args, **kwargs):
        output = super().forward(*args, **kwargs)
        return output.float() if isinstance(output, Tensor) and output.dim() == 0 else output
