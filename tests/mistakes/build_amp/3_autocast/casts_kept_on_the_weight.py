"""casts are kept as an attribute of the weight, and never removed."""


class Autocast(Autocast):
    def _lowered(self, tensor):
        if not (tensor.is_leaf and tensor.requires_grad and tensor.dtype == torch.float32):
            return super()._lowered(tensor)
        key = (self._dtype, torch.is_grad_enabled(), tensor._version)
        casts = tensor.__dict__.setdefault("_casts", {})
        if key not in casts:
            casts[key] = tensor.to(self._dtype)
        return casts[key]
