"""the weights are freed after the forward pass also with reshard=False."""


class _Unit(_Unit):
    def _after_forward(self, module, args, output):
        for tensor in tree_leaves(output):
            if isinstance(tensor, Tensor) and tensor.requires_grad:
                tensor.register_hook(self._before_backward)
        if not self.in_backward:
            self.free()
