"""a row of max_length tokens is refused."""


class Seq2Seq(Seq2Seq):
    def _check(self, tokens, vocabulary):
        super()._check(tokens, vocabulary)
        if tokens.shape[1] >= len(self.positions):
            raise ValueError("a row has too many tokens")
