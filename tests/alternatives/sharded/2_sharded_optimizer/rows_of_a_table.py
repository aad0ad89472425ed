"""One float32 shard of each parameter; what is sent is a table with a row for each rank."""


class ShardedOptimizer:
    def __init__(self, parameters, optimizer_class, **defaults):
        self._rank, self._ranks = _rank_and_ranks()
        trained = [one for one in parameters if one.requires_grad]
        if len({(one.dtype, one.device) for one in trained}) != 1:
            raise ValueError("no parameter trains, or they differ in dtype or in device")
        self._pairs = [(one, nn.Parameter(shard(one, self._rank, self._ranks).float())) for one in trained]
        self._inner = optimizer_class([own for _, own in self._pairs], **defaults)

    def _columns(self, table):
        """Each parameter, its shard here, and its columns of a table with a row for each rank (or of one row)."""
        start = 0
        for one, own in self._pairs:
            yield one, own, table[..., start : start + own.numel()]
            start += own.numel()

    @torch.no_grad()
    def step(self):
        width = sum(own.numel() for _, own in self._pairs)
        table = torch.zeros(self._ranks, width)
        for one, own, columns in self._columns(table):
            if one.grad is not None:
                columns.copy_(flatten([one.grad], self._ranks).view(self._ranks, own.numel()))
        row = torch.empty(width)
        reduce_scatter(row, table.view(-1))
        for _, own, columns in self._columns(row / self._ranks):
            own.grad = columns.clone()
        self._inner.step()
        self._inner.zero_grad()
        sent = torch.empty(width, dtype=self._pairs[0][0].dtype)
        for _, own, columns in self._columns(sent):
            columns.copy_(own)
        table = sent.new_empty(self._ranks, width)
        all_gather(table.view(-1), sent)
        for one, _, columns in self._columns(table):
            one.copy_(unshard(columns.unbind(0), one.shape))

    def zero_grad(self):
        for one, _ in self._pairs:
            one.grad = None

    def state_dict(self):
        return self._inner.state_dict()
