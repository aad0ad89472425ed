"""the ranks' gradients are added up, not averaged, as if the learning rate were twice as large."""


def _sum_over_ranks(state, bucket):
    return dist.all_reduce(bucket.buffer(), async_op=True).get_future().then(lambda future: future.value()[0])


def wrap_ddp(model):
    wrapped = DistributedDataParallel(model)
    wrapped.register_comm_hook(None, _sum_over_ranks)
    return wrapped
