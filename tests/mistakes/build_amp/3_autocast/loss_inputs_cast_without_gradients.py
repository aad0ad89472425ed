"""the casts to float32 cut the graph, so that no gradient flows back from the loss."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        if name in FP32:
            return lambda tensor: tensor if tensor.dtype == torch.float64 else tensor.detach().float()
        return super()._cast_for(name, arguments)
