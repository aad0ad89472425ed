"""sizes are not checked: PyTorch raises what it raises, or nothing."""


class Seq2Seq(Seq2Seq):
    def __init__(self, source_tokens, target_tokens, d_model=64, heads=4, layers=1, feedforward=128, max_length=32):
        nn.Module.__init__(self)
        self.source = nn.Embedding(source_tokens, d_model)
        self.target = nn.Embedding(target_tokens, d_model)
        self.register_buffer("positions", _sinusoids(max_length, d_model), persistent=False)
        self.transformer = nn.Transformer(d_model, heads, layers, layers, feedforward, dropout=0.0, batch_first=True)
        self.head = nn.Linear(d_model, target_tokens)
