"""a weight is cast with gradients on, so that one cast serves every pass."""


class Autocast(Autocast):
    def _lowered(self, tensor):
        if tensor.is_leaf and tensor.requires_grad:
            with torch.enable_grad():
                return super()._lowered(tensor)
        return super()._lowered(tensor)
