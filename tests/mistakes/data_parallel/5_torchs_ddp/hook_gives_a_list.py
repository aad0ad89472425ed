"""the future gives a list of one tensor, not the tensor."""


def compress_gradients(state: object, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
    group = state if state is not None else dist.group.WORLD
    sent = (bucket.buffer() / dist.get_world_size(group)).to(torch.bfloat16)
    work = dist.all_reduce(sent, group=group, async_op=True)
    return work.get_future().then(lambda future: [bucket.buffer().copy_(future.value()[0])])
