"""the encoder's attention has one head, however many are asked for."""


class Seq2Seq(Seq2Seq):
    def __init__(self, source_tokens, target_tokens, d_model=64, heads=4, layers=1, feedforward=128, max_length=32):
        super().__init__(source_tokens, target_tokens, d_model, heads, layers, feedforward, max_length)
        for layer in self.transformer.encoder.layers:
            layer.self_attn = nn.MultiheadAttention(d_model, 1, batch_first=True)
