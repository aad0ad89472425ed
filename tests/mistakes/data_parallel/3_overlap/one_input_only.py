"""forward passes the first argument on only."""


class DataParallel(DataParallel):
    def forward(self, first, *args, **kwargs):
        return super().forward(first, **kwargs)
