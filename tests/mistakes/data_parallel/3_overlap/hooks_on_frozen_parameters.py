"""every parameter is hooked, frozen ones too, which torch refuses."""


class DataParallel(DataParallel):
    def __init__(self, module, cap_bytes=25 * 2**20, dtype=None):
        super().__init__(module, cap_bytes, dtype)
        for parameter in module.parameters():
            parameter.register_post_accumulate_grad_hook(lambda _: None)
