"""positions are counted from the right end of the padded row."""


class Seq2Seq(Seq2Seq):
    def _embed(self, embedding, tokens):
        return embedding(tokens) * math.sqrt(embedding.embedding_dim) + self.positions[: tokens.shape[1]].flip(0)
