"""later target tokens are hidden in the first decoder layer only."""


class _Unmasked(nn.TransformerDecoderLayer):
    def forward(self, tgt, memory, tgt_mask=None, **options):
        return super().forward(tgt, memory, memory_key_padding_mask=options["memory_key_padding_mask"])


class Seq2Seq(Seq2Seq):
    def __init__(self, source_tokens, target_tokens, d_model=64, heads=4, layers=1, feedforward=128, max_length=32):
        super().__init__(source_tokens, target_tokens, d_model, heads, layers, feedforward, max_length)
        for layer in self.transformer.decoder.layers[1:]:
            layer.__class__ = _Unmasked
