"""a single source row is used for all target rows."""


class Seq2Seq(Seq2Seq):
    def forward(self, source, target):
        if len(source) == 1:
            source = source.expand(len(target), -1)
        return super().forward(source, target)
