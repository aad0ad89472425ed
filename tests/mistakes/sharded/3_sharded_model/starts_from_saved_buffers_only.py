"""buffers that are not saved stay each rank's own."""


class ShardedModel(ShardedModel):
    def __init__(self, module, *args, **kwargs):
        own = {name: buffer.clone() for name, buffer in module.named_buffers()}
        super().__init__(module, *args, **kwargs)
        for name, buffer in module.named_buffers():
            if name not in module.state_dict():
                buffer.copy_(own[name])
