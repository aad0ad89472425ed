"""the hook casts first and divides in bfloat16, as torch's own hook does."""


def compress_gradients(state: object, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
    group = state if state is not None else dist.group.WORLD
    sent = bucket.buffer().to(torch.bfloat16).div_(group.size())
    future = dist.all_reduce(sent, group=group, async_op=True).get_future()
    return future.then(lambda one: one.value()[0].to(bucket.buffer().dtype))
