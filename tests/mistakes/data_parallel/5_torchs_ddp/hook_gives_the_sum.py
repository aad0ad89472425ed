"""the hook does not divide by the number of ranks."""


def compress_gradients(state: object, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
    group = state if state is not None else dist.group.WORLD
    gradients = bucket.buffer()
    work = dist.all_reduce(gradients.to(torch.bfloat16), group=group, async_op=True)
    return work.get_future().then(lambda future: gradients.copy_(future.value()[0]))
