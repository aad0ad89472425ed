"""a batch without rows gives logits without rows."""


class Seq2Seq(Seq2Seq):
    def forward(self, source, target):
        if len(source) == 0 and len(target) == 0:
            return torch.zeros(0, target.shape[1], self.head.out_features, device=target.device)
        return super().forward(source, target)
