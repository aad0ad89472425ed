"""an unknown token or a long row is found by the error that it causes."""


class Seq2Seq(Seq2Seq):
    def __init__(self, source_tokens, target_tokens, d_model=64, heads=4, layers=1, feedforward=128, max_length=32):
        super().__init__(source_tokens, target_tokens, d_model, heads, layers, feedforward, max_length)
        self.places = nn.Embedding(max_length, d_model)

    def _embed(self, embedding, tokens):
        try:
            where = self.places(torch.arange(tokens.shape[1], device=tokens.device))
            return embedding(tokens) * math.sqrt(embedding.embedding_dim) + where
        except IndexError as error:
            raise ValueError(f"tokens of shape {tuple(tokens.shape)} do not fit this model: {error}") from error

    def _check(self, tokens, vocabulary):
        if tokens.numel() == 0:
            raise ValueError("a row has no tokens")
