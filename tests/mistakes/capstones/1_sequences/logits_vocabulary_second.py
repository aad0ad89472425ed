"""forward gives (N, V, T) logits, as cross_entropy wants them."""


class Seq2Seq(Seq2Seq):
    def forward(self, source, target):
        if len(source) != len(target) or len(source) == 0:
            raise ValueError("source and target need as many rows, and at least one")
        for tokens, embedding in ((source, self.source), (target, self.target)):
            self._check(tokens, embedding.num_embeddings)
        pads = source == PAD
        if bool(pads.all(dim=1).any()):
            raise ValueError("a row of the source has nothing but pads")
        later = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool, device=target.device).triu(diagonal=1)
        hidden = self.transformer(
            self._embed(self.source, source),
            self._embed(self.target, target),
            tgt_mask=later,
            src_key_padding_mask=pads,
            memory_key_padding_mask=pads,
        )
        return self.head(hidden).transpose(1, 2)
