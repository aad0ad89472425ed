"""casts are kept by address and shape, which a view with other strides may share."""


class Autocast(Autocast):
    def _lowered(self, tensor):
        if tensor.dtype == torch.float64:
            return tensor
        if not (tensor.is_leaf and tensor.requires_grad):
            return tensor.to(self._dtype)
        key = (tensor.data_ptr(), tensor.shape, self._dtype, torch.is_grad_enabled())
        if key not in _thread.casts or _thread.casts[key][1] != tensor._version:
            _thread.casts[key] = (tensor, tensor._version, tensor.to(self._dtype))
        return _thread.casts[key][2]
