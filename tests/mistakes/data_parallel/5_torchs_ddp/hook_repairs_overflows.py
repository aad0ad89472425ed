"""inf and nan become 0 before they are sent."""


def compress_gradients(state: object, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
    group = state if state is not None else dist.group.WORLD
    gradients = bucket.buffer()
    sent = (gradients.nan_to_num(0.0, 0.0, 0.0) / dist.get_world_size(group)).to(torch.bfloat16)
    work = dist.all_reduce(sent, group=group, async_op=True)
    return work.get_future().then(lambda future: gradients.copy_(future.value()[0]))
