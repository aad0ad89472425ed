"""forward does not return what the module gives."""


class DataParallel(DataParallel):
    def forward(self, *args, **kwargs):
        output = super().forward(*args, **kwargs)
        if isinstance(output, Tensor):
            return output
