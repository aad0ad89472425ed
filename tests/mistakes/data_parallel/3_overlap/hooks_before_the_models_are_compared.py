"""hooks are put on before the models are compared, and stay where they differ."""


class DataParallel(DataParallel):
    def __init__(self, module, cap_bytes=25 * 2**20, dtype=None):
        hooks = [
            parameter.register_post_accumulate_grad_hook(lambda one: dist.all_reduce(torch.zeros(1)))
            for parameter in module.parameters()
            if parameter.requires_grad
        ]
        super().__init__(module, cap_bytes, dtype)
        for hook in hooks:
            hook.remove()
