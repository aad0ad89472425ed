"""the weights stay gathered after the forward pass, whatever reshard says."""


class _Unit(_Unit):
    def _after_forward(self, module, args, output):
        for tensor in tree_leaves(output):
            if isinstance(tensor, Tensor) and tensor.requires_grad:
                tensor.register_hook(self._before_backward)
        if not torch.is_grad_enabled() and not self.in_backward:
            self.free()
