"""only float32 tensors are cast, so that the other half format is left."""


class Autocast(Autocast):
    def _lowered(self, tensor):
        return super()._lowered(tensor) if tensor.dtype == torch.float32 else tensor
