"""the cast of a weight is kept when the weight is changed in between."""


class Autocast(Autocast):
    def _lowered(self, tensor):
        if tensor.dtype == torch.float64:
            return tensor
        if not (tensor.is_leaf and tensor.requires_grad):
            return tensor.to(self._dtype)
        key = (id(tensor), self._dtype, torch.is_grad_enabled())
        if key not in _thread.casts:
            _thread.casts[key] = (tensor, tensor._version, tensor.to(self._dtype))
        return _thread.casts[key][2]
