"""the dtype is that of torch.result_type: tensors without dimensions count less."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        floats = list(_floating_tensors_in(arguments)) if name in PROMOTE else []
        if not floats:
            return super()._cast_for(name, arguments)
        widest = floats[0].dtype
        for tensor in floats[1:]:
            widest = torch.result_type(torch.empty(1, dtype=widest), tensor)
        return lambda tensor: tensor.to(widest)
