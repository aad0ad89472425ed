"""embeddings are looked up in a detached matrix, so that they are never learned."""


class Seq2Seq(Seq2Seq):
    def _embed(self, embedding, tokens):
        return embedding.weight.data[tokens] * math.sqrt(embedding.embedding_dim) + self.positions[: tokens.shape[1]]
