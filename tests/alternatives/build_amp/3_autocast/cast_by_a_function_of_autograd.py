"""a weight is cast by an autograd function that copies it into an empty tensor."""


class _Cast(torch.autograd.Function):
    @staticmethod
    def forward(ctx, tensor, dtype):
        ctx.dtype = tensor.dtype
        return torch.empty_like(tensor, dtype=dtype).copy_(tensor)

    @staticmethod
    def backward(ctx, gradient):
        return gradient.to(ctx.dtype), None


class Autocast(Autocast):
    def _lowered(self, tensor):
        if tensor.dtype in (torch.float64, self._dtype):
            return tensor
        if not (tensor.is_leaf and tensor.requires_grad):
            return _Cast.apply(tensor, self._dtype)
        key = (id(tensor), self._dtype, torch.is_grad_enabled())
        if key not in _thread.casts or _thread.casts[key][1] != tensor._version:
            _thread.casts[key] = (tensor, tensor._version, _Cast.apply(tensor, self._dtype))
        return _thread.casts[key][2]
