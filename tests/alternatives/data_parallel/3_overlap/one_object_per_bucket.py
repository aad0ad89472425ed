"""each bucket is an object that counts what it lacks, with a flat tensor that it keeps."""


class _Bucket:
    def __init__(self, parameters, dtype):
        self.parameters = parameters
        self.flat = torch.zeros(sum(one.numel() for one in parameters), dtype=dtype or parameters[0].dtype)
        self.views = [
            part.view(one.shape)
            for one, part in zip(parameters, self.flat.split([one.numel() for one in parameters]), strict=True)
        ]
        self.ready, self.work = set(), None

    def send(self):
        for one, view in zip(self.parameters, self.views, strict=True):
            wide = torch.promote_types(one.dtype, view.dtype)
            if one.grad is None:
                one.grad = torch.zeros_like(one)
            view.copy_(one.grad.to(wide) / dist.get_world_size())
        self.work = dist.all_reduce(self.flat, async_op=True)

    def receive(self):
        self.work.wait()
        for one, view in zip(self.parameters, self.views, strict=True):
            one.grad.copy_(view)
        self.ready.clear()
        self.work = None


class DataParallel(nn.Module):
    def __init__(self, module, cap_bytes=25 * 2**20, dtype=None):
        super().__init__()
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        if not trained or len({parameter.device for parameter in module.parameters()}) != 1:
            raise ValueError("there has to be something to train, on one device")
        grouped = make_buckets(trained, cap_bytes)
        broadcast_model(module)
        self.module, self.quiet, self.queued = module, 0, False
        self.buckets = [_Bucket([trained[index] for index in one], dtype) for one in grouped]
        for bucket in self.buckets:
            for index, one in enumerate(bucket.parameters):
                one.register_post_accumulate_grad_hook(functools.partial(self.note, bucket, index))

    def note(self, bucket, index, _):
        if self.quiet:
            return
        if not self.queued:
            self.queued = True
            Variable._execution_engine.queue_callback(self.finish)
        bucket.ready.add(index)
        self.send(lambda one: len(one.ready) == len(one.parameters))

    def send(self, is_ready):
        for bucket in self.buckets:
            if bucket.work is None:
                if not is_ready(bucket):
                    break
                bucket.send()

    def finish(self):
        self.send(lambda _: True)
        for bucket in self.buckets:
            bucket.receive()
        self.queued = False

    def forward(self, *args, **kwargs):
        if self.training and not self.quiet:
            for buffer in self.module.buffers():
                dist.broadcast(buffer, 0)
        return self.module(*args, **kwargs)

    @contextlib.contextmanager
    def no_sync(self):
        self.quiet += 1
        try:
            yield
        finally:
            self.quiet -= 1
