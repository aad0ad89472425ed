"""the target's pads are hidden as well, and pads are embedded as zero."""


class Seq2Seq(Seq2Seq):
    def __init__(self, source_tokens, target_tokens, d_model=64, heads=4, layers=1, feedforward=128, max_length=32):
        super().__init__(source_tokens, target_tokens, d_model, heads, layers, feedforward, max_length)
        self.source = nn.Embedding(source_tokens, d_model, padding_idx=PAD)
        self.target = nn.Embedding(target_tokens, d_model, padding_idx=PAD)

    def forward(self, source, target):
        if len(source) != len(target) or len(source) == 0:
            raise ValueError("source and target need as many rows, and at least one")
        for tokens, embedding in ((source, self.source), (target, self.target)):
            self._check(tokens, embedding.num_embeddings)
        pads = source == PAD
        if bool(pads.all(dim=1).any()):
            raise ValueError("a row of the source has nothing but pads")
        later = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool, device=target.device).triu(diagonal=1)
        return self.head(
            self.transformer(
                self._embed(self.source, source),
                self._embed(self.target, target),
                tgt_mask=later,
                src_key_padding_mask=pads,
                tgt_key_padding_mask=target == PAD,
                memory_key_padding_mask=pads,
            )
        )
