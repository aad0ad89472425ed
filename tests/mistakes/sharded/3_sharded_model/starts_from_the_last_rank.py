"""all ranks start from the last rank's weights."""


class _FromTheLast:
    def __getattr__(self, name):
        return getattr(torch.distributed, name)

    def broadcast(self, tensor, source):
        torch.distributed.broadcast(tensor, torch.distributed.get_world_size() - 1)


dist = _FromTheLast()
