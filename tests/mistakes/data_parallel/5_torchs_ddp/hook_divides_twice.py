"""the hook divides before the sum, and after it again."""


def compress_gradients(state: object, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
    group = state if state is not None else dist.group.WORLD
    gradients, ranks = bucket.buffer(), dist.get_world_size(state if state is not None else dist.group.WORLD)
    work = dist.all_reduce((gradients / ranks).to(torch.bfloat16), group=group, async_op=True)
    return work.get_future().then(lambda future: gradients.copy_(future.value()[0] / ranks))
