"""the hooks are registered before the units are checked: a refused module is left with them."""


class ShardedModel(ShardedModel):
    def __init__(self, module, *args, **kwargs):
        hook = module.register_forward_hook(lambda module, args, output: output * 0)
        super().__init__(module, *args, **kwargs)
        hook.remove()
