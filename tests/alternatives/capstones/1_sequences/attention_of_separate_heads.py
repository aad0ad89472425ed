"""each head has matrices of its own, without biases, and the norms are before."""


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        size = width // heads
        self.parts = nn.ModuleList(
            [nn.ModuleList([nn.Linear(width, size, bias=False) for _ in range(3)]) for _ in range(heads)]
        )
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x, memory, hidden):
        seen = []
        for q, k, v in self.parts:
            mask = torch.zeros_like(hidden, dtype=torch.float32).masked_fill(hidden, -math.inf).squeeze(1)
            scores = q(x) @ k(memory).transpose(-1, -2) * q.out_features**-0.5 + mask
            seen.append(scores.softmax(dim=-1) @ v(memory).float())
        return self.out(torch.cat(seen, dim=-1))


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
        later = later[None, None]
        for layer in self.encoder:
            memory = layer(memory, pads)
        for layer in self.decoder:
            x = layer(x, later, memory, pads)
        return self.head(x)
