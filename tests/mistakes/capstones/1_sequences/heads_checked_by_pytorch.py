"""a d_model that is no multiple of heads raises the AssertionError of nn.MultiheadAttention."""


class Seq2Seq(Seq2Seq):
    def __init__(self, source_tokens, target_tokens, d_model=64, heads=4, layers=1, feedforward=128, max_length=32):
        assert heads < 1 or d_model % heads == 0, "embed_dim must be divisible by num_heads"
        super().__init__(source_tokens, target_tokens, d_model, heads, layers, feedforward, max_length)
