"""the parameters themselves are turned to half."""


class Autocast(Autocast):
    def _lowered(self, tensor):
        if tensor.is_leaf and tensor.requires_grad and tensor.dtype == torch.float32:
            tensor.data = tensor.data.to(self._dtype)
            return tensor
        return super()._lowered(tensor)
