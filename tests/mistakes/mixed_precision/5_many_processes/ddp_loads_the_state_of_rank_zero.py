"""the ranks load rank 0's state_dict, which lacks buffers that are not persistent."""


def wrap_ddp(model):
    states = [model.state_dict()]
    dist.broadcast_object_list(states, src=0)
    model.load_state_dict(states[0])
    return DistributedDataParallel(model, init_sync=False)
