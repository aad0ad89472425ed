"""the hook starts the sum in the background, and waits for its future."""


def compress_gradients(state: object, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
    group = state if state is not None else dist.group.WORLD
    gradients = bucket.buffer()
    sent = (gradients / dist.get_world_size(group)).to(torch.bfloat16)
    given = dist.all_reduce(sent, group=group, async_op=True).get_future()
    given.wait()
    return given.then(lambda future: gradients.copy_(future.value()[0]))
