"""the hook casts only what has more than two bytes an entry, and sends float16 as it is."""


def compress_gradients(state: object, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
    group = state if state is not None else dist.group.WORLD
    gradients = bucket.buffer()
    sent = gradients / dist.get_world_size(group)
    if sent.itemsize > 2:
        sent = sent.to(torch.bfloat16)
    work = dist.all_reduce(sent, group=group, async_op=True)
    return work.get_future().then(lambda future: gradients.copy_(future.value()[0]))
