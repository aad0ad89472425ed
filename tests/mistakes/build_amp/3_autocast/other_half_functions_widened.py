"""functions that are in no list get their half tensors in float32."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        if name not in LOWER | FP32 | PROMOTE and name in ("softmax", "layer_norm", "exp", "sum", "soft_margin_loss"):
            return lambda tensor: tensor if tensor.dtype == torch.float64 else tensor.float()
        return super()._cast_for(name, arguments)
