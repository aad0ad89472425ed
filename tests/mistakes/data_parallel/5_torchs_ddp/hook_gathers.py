"""the hook gathers the gradients of all ranks and adds them up: what a rank gets grows with their number."""


def compress_gradients(state: object, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
    group = state if state is not None else dist.group.WORLD
    gradients = bucket.buffer()
    sent = (gradients / dist.get_world_size(group)).to(torch.bfloat16)
    shares = [torch.empty_like(sent) for _ in range(dist.get_world_size(group))]
    work = dist.all_gather(shares, sent, group=group, async_op=True)
    return work.get_future().then(lambda _: gradients.copy_(torch.stack(shares).sum(0, dtype=torch.float32)))
