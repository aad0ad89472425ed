"""the version of a weight is a part of the key of its cast."""


class Autocast(Autocast):
    def _lowered(self, tensor):
        if tensor.dtype == torch.float64 or not (tensor.is_leaf and tensor.requires_grad):
            return super()._lowered(tensor)
        key = (tensor, tensor._version, self._dtype, torch.is_grad_enabled())
        if key not in _thread.casts:
            _thread.casts[key] = tensor.to(self._dtype)
        return _thread.casts[key]
