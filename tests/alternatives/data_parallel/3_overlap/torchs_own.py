"""torch's DistributedDataParallel does all of it."""


class DataParallel(DistributedDataParallel):
    def __init__(self, module, cap_bytes=25 * 2**20, dtype=None):
        if not any(parameter.requires_grad for parameter in module.parameters()):
            raise ValueError("nothing trains")
        if len({parameter.device for parameter in module.parameters()}) > 1:
            raise ValueError("several devices")
        if cap_bytes < 1:
            raise ValueError("no room")
        broadcast_model(module)
        super().__init__(module, bucket_cap_mb=cap_bytes / 2**20, find_unused_parameters=True)
        if dtype is not None:
            self.register_comm_hook(dtype, _cast)


def _cast(state: object, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
    gradients = bucket.buffer()
    sent = (gradients.float() / dist.get_world_size()).to(state)
    return dist.all_reduce(sent, async_op=True).get_future().then(lambda one: gradients.copy_(one.value()[0]))
