"""nn.Transformer is built without batch_first, as in a widely copied example: attention is over the batch."""


class Seq2Seq(Seq2Seq):
    def __init__(self, source_tokens, target_tokens, d_model=64, heads=4, layers=1, feedforward=128, max_length=32):
        super().__init__(source_tokens, target_tokens, d_model, heads, layers, feedforward, max_length)
        self.transformer = nn.Transformer(d_model, heads, layers, layers, feedforward, dropout=0.0)

    def forward(self, source, target):
        size = min(source.shape[1], target.shape[1])
        later = torch.ones(len(target), len(target), dtype=torch.bool, device=target.device).triu(diagonal=1)
        queries = self._embed(self.target, target)
        memory = self._embed(self.source, source)[:, :size]
        memory = torch.cat([memory, memory[:, -1:].expand(-1, target.shape[1] - size, -1)], dim=1)
        return self.head(self.transformer(memory, queries, tgt_mask=later))
