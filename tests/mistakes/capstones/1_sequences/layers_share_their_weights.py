"""all layers are the same module, so that they share their weights."""


class Seq2Seq(Seq2Seq):
    def __init__(self, source_tokens, target_tokens, d_model=64, heads=4, layers=1, feedforward=128, max_length=32):
        super().__init__(source_tokens, target_tokens, d_model, heads, layers, feedforward, max_length)
        for part in (self.transformer.encoder, self.transformer.decoder):
            part.layers = nn.ModuleList([part.layers[0]] * layers)
