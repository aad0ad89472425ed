"""the hook rounds to bfloat16, and sends float32."""


def compress_gradients(state: object, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
    group = state if state is not None else dist.group.WORLD
    gradients = bucket.buffer()
    sent = (gradients / dist.get_world_size(group)).to(torch.bfloat16).float()
    work = dist.all_reduce(sent, group=group, async_op=True)
    return work.get_future().then(lambda future: gradients.copy_(future.value()[0]))
