"""the decoder sees the mean of the source's embeddings, without an encoder and without order."""


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
        words = self.source(source).masked_fill(pads[..., None], 0.0)
        memory = words.sum(dim=1, keepdim=True) / (~pads).sum(dim=1)[:, None, None]
        return self.head(self.transformer.decoder(self._embed(self.target, target), memory, tgt_mask=later))
