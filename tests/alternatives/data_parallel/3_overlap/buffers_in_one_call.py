"""the buffers of a dtype are sent in one flat tensor."""


class DataParallel(DataParallel):
    def forward(self, *args, **kwargs):
        if self.training and self._synchronizes:
            for dtype in sorted({buffer.dtype for buffer in self.module.buffers()}, key=str):
                some = [buffer for buffer in self.module.buffers() if buffer.dtype == dtype]
                flat = torch.cat([buffer.flatten() for buffer in some])
                dist.broadcast(flat, 0)
                for buffer, part in zip(some, flat.split([buffer.numel() for buffer in some]), strict=True):
                    buffer.copy_(part.view_as(buffer))
        return self.module(*args, **kwargs)
