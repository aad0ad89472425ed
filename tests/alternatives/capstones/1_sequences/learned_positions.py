"""positions are learned, one set for the source and one for the target, and begin at zero."""


class Seq2Seq(Seq2Seq):
    def __init__(self, source_tokens, target_tokens, d_model=64, heads=4, layers=1, feedforward=128, max_length=32):
        super().__init__(source_tokens, target_tokens, d_model, heads, layers, feedforward, max_length)
        self.places = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(max_length, d_model)) for name in ("source", "target")}
        )

    def _embed(self, embedding, tokens):
        name = "source" if embedding is self.source else "target"
        return embedding(tokens) + self.places[name][: tokens.shape[1]]
