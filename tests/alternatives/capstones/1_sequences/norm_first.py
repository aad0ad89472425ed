"""the norms are before attention and feedforward, and embeddings are not scaled."""


class Seq2Seq(Seq2Seq):
    def __init__(self, source_tokens, target_tokens, d_model=64, heads=4, layers=1, feedforward=128, max_length=32):
        super().__init__(source_tokens, target_tokens, d_model, heads, layers, feedforward, max_length)
        self.transformer = nn.Transformer(
            d_model, heads, layers, layers, feedforward, dropout=0.0, batch_first=True, norm_first=True
        )

    def _embed(self, embedding, tokens):
        return embedding(tokens) + self.positions[: tokens.shape[1]]
