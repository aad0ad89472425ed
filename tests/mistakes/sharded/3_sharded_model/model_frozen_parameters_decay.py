"""frozen parameters are in the same shard as those that train, where weight decay moves them."""


class _Unit(_Unit):
    def __init__(self, module, parameters, *args):
        frozen = [one for one in parameters if not one.requires_grad]
        if len(frozen) < len(parameters):
            for one in frozen:
                one.requires_grad_(True)
        super().__init__(module, parameters, *args)
        for one in frozen:
            one.register_hook(torch.zeros_like) if one.requires_grad else None
