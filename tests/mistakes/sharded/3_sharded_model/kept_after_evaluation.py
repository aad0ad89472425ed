"""with reshard=False the weights stay gathered after a pass without gradients, too."""


class _Unit(_Unit):
    def _after_forward(self, module, args, output):
        for tensor in tree_leaves(output):
            if isinstance(tensor, Tensor) and tensor.requires_grad:
                tensor.register_hook(self._before_backward)
        if self.reshard and not self.in_backward:
            self.free()
