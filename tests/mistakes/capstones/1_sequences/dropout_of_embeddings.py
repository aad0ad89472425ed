"""embeddings go through a dropout, as in the paper."""


class Seq2Seq(Seq2Seq):
    def _embed(self, embedding, tokens):
        return nn.functional.dropout(super()._embed(embedding, tokens), 0.1, self.training)
