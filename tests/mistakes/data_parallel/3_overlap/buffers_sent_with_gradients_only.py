"""a forward pass in train mode under torch.no_grad() sends no buffers."""


class DataParallel(DataParallel):
    def forward(self, *args, **kwargs):
        return super().forward(*args, **kwargs) if torch.is_grad_enabled() else self.module(*args, **kwargs)
