"""the hook waits for the sum before it returns."""


def compress_gradients(state: object, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
    group = state if state is not None else dist.group.WORLD
    gradients = bucket.buffer()
    sent = (gradients / dist.get_world_size(group)).to(torch.bfloat16)
    dist.all_reduce(sent, group=group)
    future = torch.futures.Future()
    future.set_result(gradients.copy_(sent))
    return future
