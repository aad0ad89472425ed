"""a region does nothing while gradients are off."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        return super()._cast_for(name, arguments) if torch.is_grad_enabled() else None
