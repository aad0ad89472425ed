"""the decoder takes the mean of what the encoder says, where it should choose by content."""


class _Mean(nn.MultiheadAttention):
    """Attention whose keys are all alike: it gives the mean of what is seen."""

    def forward(self, query, key, value, **options):
        return super().forward(query, 0.0 * key, value, **options)


class Seq2Seq(Seq2Seq):
    def __init__(self, source_tokens, target_tokens, d_model=64, heads=4, layers=1, feedforward=128, max_length=32):
        super().__init__(source_tokens, target_tokens, d_model, heads, layers, feedforward, max_length)
        for layer in self.transformer.decoder.layers:
            layer.multihead_attn = _Mean(d_model, 1, batch_first=True)
