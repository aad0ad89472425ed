"""attention, layers, encoder and decoder are written by hand, with a softmax in float32."""


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x, memory, hidden):
        q, k, v = (
            layer(some).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, some in ((self.q, x), (self.k, memory), (self.v, memory))
        )
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        return self.out(
            (scores.float().masked_fill(hidden, -math.inf).softmax(dim=-1).to(v.dtype) @ v).transpose(1, 2).flatten(2)
        )


class Layer(nn.Module):
    def __init__(self, width, heads, inner, attentions):
        super().__init__()
        self.attentions = nn.ModuleList([Attention(width, heads) for _ in range(attentions)])
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(attentions + 1)])
        self.feedforward = nn.Sequential(nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, width))

    def forward(self, x, own, memory=None, others=None):
        x = self.norms[0](x + self.attentions[0](x, x, own))
        if memory is not None:
            x = self.norms[1](x + self.attentions[1](x, memory, others))
        return self.norms[-1](x + self.feedforward(x))


class Seq2Seq(Seq2Seq):
    def __init__(self, source_tokens, target_tokens, d_model=64, heads=4, layers=1, feedforward=128, max_length=32):
        super().__init__(source_tokens, target_tokens, d_model, heads, layers, feedforward, max_length)
        del self.transformer
        self.encoder = nn.ModuleList([Layer(d_model, heads, feedforward, 1) for _ in range(layers)])
        self.decoder = nn.ModuleList([Layer(d_model, heads, feedforward, 2) for _ in range(layers)])

    def forward(self, source, target):
        if len(source) != len(target) or len(source) == 0:
            raise ValueError("source and target need as many rows, and at least one")
        for tokens, embedding in ((source, self.source), (target, self.target)):
            self._check(tokens, embedding.num_embeddings)
        pads = source == PAD
        if bool(pads.all(dim=1).any()):
            raise ValueError("a row of the source has nothing but pads")
        later = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool, device=target.device).triu(diagonal=1)
        memory, x = self._embed(self.source, source), self._embed(self.target, target)
        pads = pads[:, None, None]
        for layer in self.encoder:
            memory = layer(memory, pads)
        for layer in self.decoder:
            x = layer(x, later, memory, pads)
        return self.head(x)
