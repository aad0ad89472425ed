"""asks autograd's engine which gradients of a unit's parameters and inputs will come, and waits for exactly those."""


class _Unit(_Unit):
    def __init__(self, *args):
        super().__init__(*args)
        self.runs, self.seen = [], set()

    def reset(self):
        super().reset()
        if torch._C._current_graph_task_id() == -1:
            self.runs.clear()

    def _before_forward(self, module, args, kwargs):
        nodes = []
        self.runs.append(nodes)

        def mark(value):
            if not isinstance(value, Tensor) or not value.requires_grad:
                return value
            key, value = object(), value.view_as(value)
            value.grad_fn.register_prehook(lambda _: self._has_gradient(key))
            nodes.append((key, value.grad_fn))
            return value

        args, kwargs = super()._before_forward(module, args, kwargs)
        recomputes = torch._C._current_graph_task_id() != -1
        return (args, kwargs) if recomputes else tree_map(mark, (args, kwargs))

    def _after_forward(self, module, args, output):
        nodes = self.runs.pop()
        for tensor in tree_leaves(output):
            if isinstance(tensor, Tensor) and tensor.requires_grad:
                tensor.register_hook(lambda _: self._enter(nodes))
        if (self.reshard or not torch.is_grad_enabled()) and not self.in_backward:
            self.free()

    def _enter(self, nodes):
        self.gather()
        if not self.in_backward:
            self.in_backward, self.missing, self.seen = True, set(), set()
            Variable._execution_engine.queue_callback(self._after_backward)
        parameters = [one for flat in self.flats if flat.trains for one in flat.parameters]
        with torch.enable_grad():
            leaves = [(one, one.view_as(one).grad_fn.next_functions[0][0]) for one in parameters]
        for key, node in [*nodes, *leaves]:
            if key not in self.seen and torch._C._will_engine_execute_node(node):
                self.missing.add(key)
        if not self.missing:
            self.free()

    def _has_gradient(self, key):
        self.seen.add(key)
        self.missing.discard(key)
        if self.in_backward and not self.missing:
            if any(one.grad is not None for flat in self.flats for one in flat.parameters):
                self._reduce()
            self.free()
