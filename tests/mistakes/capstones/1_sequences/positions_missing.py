"""there are no positions, as in a widely copied example: 12 and 21 are the same to the model."""


class Seq2Seq(Seq2Seq):
    def _embed(self, embedding, tokens):
        return embedding(tokens) * math.sqrt(embedding.embedding_dim)
