"""of the leaf tensors that require a gradient only `nn.Parameter`s are kept."""


class Autocast(Autocast):
    def _lowered(self, tensor):
        if tensor.dtype == torch.float64:
            return tensor
        if not (isinstance(tensor, nn.Parameter) and tensor.requires_grad):
            return tensor.to(self._dtype)
        key = (id(tensor), self._dtype, torch.is_grad_enabled())
        if key not in _thread.casts or _thread.casts[key][1] != tensor._version:
            _thread.casts[key] = (tensor, tensor._version, tensor.to(self._dtype))
        return _thread.casts[key][2]
