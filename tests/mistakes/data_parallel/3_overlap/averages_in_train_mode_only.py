"""gradients of a backward pass in eval mode are not averaged."""


class DataParallel(DataParallel):
    def _on_gradient(self, number, parameter):
        if self.training:
            super()._on_gradient(number, parameter)
