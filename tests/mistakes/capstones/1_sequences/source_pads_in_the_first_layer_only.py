"""the source's pads are hidden in the first encoder layer only."""


class _Unmasked(nn.TransformerEncoderLayer):
    def forward(self, src, **options):
        return super().forward(src)


class Seq2Seq(Seq2Seq):
    def __init__(self, source_tokens, target_tokens, d_model=64, heads=4, layers=1, feedforward=128, max_length=32):
        super().__init__(source_tokens, target_tokens, d_model, heads, layers, feedforward, max_length)
        for layer in self.transformer.encoder.layers[1:]:
            layer.__class__ = _Unmasked
