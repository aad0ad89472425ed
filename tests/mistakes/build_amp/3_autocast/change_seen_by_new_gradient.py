"""a weight is cast again only when it has another gradient, not when it is copied into."""


class Autocast(Autocast):
    def _lowered(self, tensor):
        if tensor.dtype == torch.float64:
            return tensor
        if not (tensor.is_leaf and tensor.requires_grad):
            return tensor.to(self._dtype)
        key = (id(tensor), self._dtype, torch.is_grad_enabled())
        if key not in _thread.casts or _thread.casts[key][1] is not tensor.grad:
            _thread.casts[key] = (tensor, tensor.grad, tensor.to(self._dtype))
        return _thread.casts[key][2]
