"""the hook has no annotations, which torch demands."""


def compress_gradients(state, bucket: object):
    group = state if state is not None else dist.group.WORLD
    gradients = bucket.buffer()
    sent = (gradients / dist.get_world_size(group)).to(torch.bfloat16)
    work = dist.all_reduce(sent, group=group, async_op=True)
    return work.get_future().then(lambda future: gradients.copy_(future.value()[0]))
