"""a change of a weight is looked for in its largest entry, not in its version."""


class Autocast(Autocast):
    def _lowered(self, tensor):
        if tensor.dtype == torch.float64:
            return tensor
        if not (tensor.is_leaf and tensor.requires_grad):
            return tensor.to(self._dtype)
        key = (id(tensor), self._dtype, torch.is_grad_enabled())
        if key not in _thread.casts or _thread.casts[key][1] != float(tensor.detach().max()):
            _thread.casts[key] = (tensor, float(tensor.detach().max()), tensor.to(self._dtype))
        return _thread.casts[key][2]
