"""drawn positions are a buffer that the state dict leaves out."""


class Seq2Seq(Seq2Seq):
    def __init__(self, source_tokens, target_tokens, d_model=64, heads=4, layers=1, feedforward=128, max_length=32):
        super().__init__(source_tokens, target_tokens, d_model, heads, layers, feedforward, max_length)
        self.register_buffer("positions", torch.randn(max_length, d_model), persistent=False)
