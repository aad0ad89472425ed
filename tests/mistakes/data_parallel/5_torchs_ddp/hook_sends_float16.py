"""the hook sends float16 instead of bfloat16."""


def compress_gradients(state: object, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
    group = state if state is not None else dist.group.WORLD
    gradients = bucket.buffer()
    sent = (gradients / dist.get_world_size(group)).half()
    work = dist.all_reduce(sent, group=group, async_op=True)
    return work.get_future().then(lambda future: gradients.copy_(future.value()[0]))
