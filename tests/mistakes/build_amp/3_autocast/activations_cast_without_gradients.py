"""tensors that are no weights are cast without a graph, so that no gradient reaches the layers before."""


class Autocast(Autocast):
    def _lowered(self, tensor):
        if tensor.is_leaf or tensor.dtype == torch.float64:
            return super()._lowered(tensor)
        return tensor.detach().to(self._dtype)
