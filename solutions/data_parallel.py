"""Lab 02: data parallel training, from one all-reduce to torch's own DistributedDataParallel.

Every rank holds the whole model and a part of the batch. Averages, buckets, overlap with the backward pass, data, and
half precision on the wire. Read `docs/02_data_parallel.md` beside it; run `make test-lab02` after every change.

All but `make_buckets` and `ShardSampler` work on the default process group, which the caller has formed, and are called
by all of its ranks. Without one they raise what torch.distributed raises, before anything has changed. Parameters,
buffers and gradients are dense, with any strides, the same on all ranks: a channels_last weight is not contiguous. A
gradient comes with the dtype and the strides of its parameter.
"""

import contextlib
import functools
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd import Variable
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.utils.data import Sampler

__all__ = [
    "DataParallel",
    "ShardSampler",
    "average_gradients",
    "average_in_buckets",
    "broadcast_model",
    "compress_gradients",
    "make_buckets",
    "mean_over_ranks",
    "train_step",
    "wrap_ddp",
]


# Step 1: averages


def broadcast_model(model: nn.Module, source: int = 0) -> None:
    """Gives every rank the parameters and buffers of rank `source`, bit for bit, in place.

    Parameters that do not train count too, and so do buffers of integers and those that no state dict has. All of them
    stay the same objects, in the same memory, with the same strides.

    Raises:
        ValueError: the models differ between ranks: in how many parameters and buffers they have, in the shape or dtype
            of one, or in which of them require a gradient. Raised on every rank, with the number of a rank that differs
            from `source`; nothing has changed.
    """
    tensors = [*model.parameters(), *model.buffers()]
    own = [f"{tuple(one.shape)} {one.dtype}{' trained' if one.requires_grad else ''}" for one in tensors]
    of_ranks: list[list[str]] = [[] for _ in range(dist.get_world_size())]
    dist.all_gather_object(of_ranks, own)
    for rank, other in enumerate(of_ranks):
        for there, here in itertools.zip_longest(other, of_ranks[source], fillvalue="nothing"):
            if there != here:
                raise ValueError(f"the models differ: rank {rank} has {there} where rank {source} has {here}")
    for tensor in tensors:
        dist.broadcast(tensor.detach(), source)


def average_gradients(model: nn.Module) -> None:
    """Replaces the gradient of every parameter that requires one by its mean over the ranks.

    A parameter that has no gradient on this rank counts as zeros here, so that ranks agree on what they send: another
    rank's batch may have used it. Where no rank has a gradient, None and zeros are both right. Parameters that require
    no gradient are left alone.
    """
    ranks = dist.get_world_size()
    for parameter in model.parameters():
        if parameter.requires_grad:
            gradient = _gradient(parameter)
            gradient /= ranks  # before the sum, which float16 might not hold
            dist.all_reduce(gradient)


def _gradient(parameter: Tensor) -> Tensor:
    """The parameter's gradient; zeros where it has none yet."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def mean_over_ranks(total: float, count: int) -> float:
    """The sum of all ranks' totals divided by the sum of all ranks' counts, the same on every rank.

    That is the mean over all samples if each rank gives its sum and its number of samples; the mean of the ranks' means
    is another number where the counts differ. Summed in float64, which has every count below 2**53. A rank may count 0.

    Raises:
        ValueError: the counts are 0 on all ranks; raised on all of them.
    """
    sums = torch.tensor([total, count], dtype=torch.float64)
    dist.all_reduce(sums)
    total, count = sums.tolist()
    if count == 0:
        raise ValueError("no rank has counted anything: there is no mean")
    return total / count


# Step 2: buckets


def make_buckets(parameters: Sequence[Tensor], cap_bytes: int) -> list[list[int]]:
    """Groups parameters that are sent together: indices into `parameters`, bucket by bucket, in the order of sending.

    Goes from the last parameter to the first, as the backward pass does. A parameter joins the bucket that was begun
    last if it has the dtype of its parameters and the bucket's bytes stay at or below `cap_bytes`; otherwise it begins
    a new one. So a parameter that is larger than `cap_bytes` has a bucket for itself.

    Args:
        parameters: of any shapes and floating point dtypes.
        cap_bytes: of a bucket, counted in the parameters' own dtype.

    Raises:
        ValueError: cap_bytes is below 1.

    Source: https://arxiv.org/abs/2006.15704, section 3.2.2
    """
    if cap_bytes < 1:
        raise ValueError(f"cap_bytes must be at least 1, not {cap_bytes}")
    buckets: list[list[int]] = []
    room = 0
    for index in reversed(range(len(parameters))):
        parameter = parameters[index]
        if not buckets or parameter.dtype != parameters[buckets[-1][0]].dtype or parameter.nbytes > room:
            buckets.append([])
            room = cap_bytes
        buckets[-1].append(index)
        room -= parameter.nbytes
    return buckets


def average_in_buckets(model: nn.Module, cap_bytes: int, dtype: torch.dtype | None = None) -> None:
    """Averages the gradients as `average_gradients` does, with one all-reduce for each bucket of `make_buckets`.

    The buckets are those of the parameters that require a gradient, and are sent in their order. Gradients are divided
    by the number of ranks before they are cast, in the wider of both dtypes: the sum of what is sent is the mean, and
    overflows only if the mean does. Gradients keep their dtype, whatever is sent.

    Args:
        model: see `average_gradients`.
        cap_bytes: see `make_buckets`.
        dtype: what is sent and summed; None for the gradients' own. torch.bfloat16 halves the bytes of float32
            gradients and rounds each entry to 8 significant bits; torch.float32 sums bfloat16 gradients in float32 and
            rounds them once, at the end.

    Raises:
        ValueError: cap_bytes is below 1; nothing has changed.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    buckets = make_buckets(trained, cap_bytes)
    started = [_start_average([trained[index] for index in bucket], dtype) for bucket in buckets]
    for finish in started:
        finish()


def _start_average(parameters: Sequence[Tensor], dtype: torch.dtype | None) -> Callable[[], None]:
    """Sends the gradients of one bucket; a call of what it gives waits for the averages and puts them in place."""
    ranks = dist.get_world_size()  # before a gradient changes: it may raise
    gradients = [_gradient(parameter) for parameter in parameters]
    sizes = [gradient.numel() for gradient in gradients]
    sent = gradients[0].new_empty(sum(sizes), dtype=dtype)
    wide = torch.promote_types(gradients[0].dtype, sent.dtype)
    parts = [part.view_as(one) for part, one in zip(sent.split(sizes), gradients, strict=True)]
    for gradient, part in zip(gradients, parts, strict=True):
        torch.div(gradient.to(wide), ranks, out=part)  # copies, divides and casts in one pass
    work = dist.all_reduce(sent, async_op=True)

    def finish() -> None:
        work.wait()
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part)  # casts back to the gradient's dtype

    return finish


# Step 3: overlap


class DataParallel(nn.Module):
    """A model that every rank trains on its own part of the batch: `backward()` leaves averaged gradients.

    The average is that of `average_in_buckets`, over everything that has accumulated in the gradients. A bucket is sent
    as soon as the backward pass has made its last gradient, and travels while earlier layers are computed: no hook
    waits for another rank. When `backward()` returns, the gradients are final. All ranks send their buckets in the same
    order. A bucket with a parameter that this rank's batch does not use, and those behind it, are sent when the
    backward pass ends.

    Forward and backward passes take turns. What a second backward pass leaves, without a forward pass before it, is
    left open: torch's DDP does not average it.
    """

    def __init__(self, module: nn.Module, cap_bytes: int = 25 * 2**20, dtype: torch.dtype | None = None) -> None:
        """Starts all ranks from the parameters and buffers of rank 0, as `broadcast_model` does.

        Args:
            module: the same on all ranks, but for its values. It stays reachable as the attribute `module`. Its
                parameters may have several dtypes, but are on one device. Which of them require a gradient does not
                change from here on.
            cap_bytes: the most bytes of a bucket, as in `make_buckets`. How parameters are grouped is left open: a call
                may send one parameter more than that, but none sends one parameter alone where two fit.
            dtype: what is sent, as in `average_in_buckets`.

        Raises:
            ValueError: no parameter requires a gradient, they are on several devices, cap_bytes is below 1, or the
                models differ between ranks; nothing has changed.
        """
        super().__init__()
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        devices = {str(parameter.device) for parameter in module.parameters()}
        if not trained:
            raise ValueError("no parameter of the module requires a gradient: there is nothing to average")
        if len(devices) > 1:
            raise ValueError(f"the parameters are on several devices, {', '.join(sorted(devices))}: move them to one")
        buckets = make_buckets(trained, cap_bytes)
        broadcast_model(module)
        self.module = module
        self._dtype = dtype
        self._buckets = [[trained[index] for index in bucket] for bucket in buckets]
        self._synchronizes = True
        self._forget()
        for number, bucket in enumerate(self._buckets):
            for parameter in bucket:
                parameter.register_post_accumulate_grad_hook(functools.partial(self._on_gradient, number))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module gives for these arguments.

        In train mode the buffers of all ranks become those of rank 0 first, also under torch.no_grad(), unless this
        runs in `no_sync`. They are those that the module has now: it may have assigned new ones. What happens in eval
        mode is left open, and in the first pass inside of `no_sync`, after it and after one under torch.no_grad():
        torch's DDP goes by the pass before.
        """
        if self.training and self._synchronizes:
            self._forget()  # of a backward pass that an exception has ended
            for buffer in self.module.buffers():
                dist.broadcast(buffer, 0)
        return self.module(*args, **kwargs)

    @contextlib.contextmanager
    def no_sync(self) -> Iterator[None]:
        """A context manager, `with model.no_sync():`, in which gradients accumulate on this rank and nothing is sent.

        It holds for a forward pass and its backward pass that both run inside. The first backward pass after it
        averages all that has accumulated, also of parameters that only the passes inside have used. Nests; ends by an
        exception too, which passes through.
        """
        before, self._synchronizes = self._synchronizes, False
        try:
            yield
        finally:
            self._synchronizes = before

    def _forget(self) -> None:
        """No backward pass is under way: every bucket lacks all of its gradients."""
        self._lacking = [len(bucket) for bucket in self._buckets]
        self._started: list[Callable[[], None]] = []
        self._under_way = False

    def _on_gradient(self, number: int, parameter: Tensor) -> None:
        """A gradient of bucket `number` is complete: sends what is complete now."""
        if not self._synchronizes:
            return
        if not self._under_way:
            self._under_way = True
            Variable._execution_engine.queue_callback(self._finish)  # runs once, when all of backward is over
        self._lacking[number] -= 1
        # In the buckets' order, not in that of completion: ranks may differ in which parameters they use.
        while len(self._started) < len(self._buckets) and self._lacking[len(self._started)] == 0:
            self._start_next()

    def _start_next(self) -> None:
        self._started.append(_start_average(self._buckets[len(self._started)], self._dtype))

    def _finish(self) -> None:
        """Ends the backward pass: sends what is left, waits for everything."""
        while len(self._started) < len(self._buckets):
            self._start_next()
        for finish in self._started:
            finish()
        self._forget()


# Step 4: data


class ShardSampler(Sampler[int]):
    """The indices of a data set that one rank trains on, in their order, epoch by epoch.

    All ranks have the same order of the whole data set, and rank r takes its places r, r + ranks, r + 2 * ranks and so
    on. If `ranks` does not divide the size, the order is continued from its own beginning, as often as it takes (with
    more ranks than samples a sample may repeat more than once); or cut at the end, with `drop_last`. So every rank
    takes as many steps as the others.

    Source: torch.utils.data.DistributedSampler
    """

    def __init__(
        self, size: int, rank: int, ranks: int, shuffle: bool = True, seed: int = 0, drop_last: bool = False
    ) -> None:
        """The sampler of rank `rank` for a data set of `size` samples; needs no process group.

        Args:
            size: of the whole data set.
            rank: from 0 to ranks - 1.
            ranks: how many share the data set.
            shuffle: whether the order is a new permutation in each epoch, else it is 0, 1, 2, ...
            seed: of the permutations; the same on all ranks.
            drop_last: leave out the samples that are left over, rather than repeat some.

        Raises:
            ValueError: size or ranks is below 1, rank is not one of the ranks, or with drop_last there are more ranks
                than samples, so that nothing would be left.
        """
        if size < 1 or ranks < 1 or not 0 <= rank < ranks:
            raise ValueError(f"rank {rank} of {ranks} cannot share {size} samples")
        if drop_last and size < ranks:
            raise ValueError(f"drop_last leaves nothing of {size} samples for {ranks} ranks: leave it out")
        self._size = size
        self._rank = rank
        self._ranks = ranks
        self._shuffle = shuffle
        self._seed = seed
        self._epoch = 0
        self._length = size // ranks if drop_last else -(-size // ranks)

    def set_epoch(self, epoch: int) -> None:
        """The epoch, from 0 on, whose order the next iteration has; without a call it is that of epoch 0 each time."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        """This rank's indices.

        The order depends on size, shuffle, seed and epoch alone, in every process and whenever it runs: torch's own
        random generator is neither read nor moved, and each iteration of one epoch has the same.
        """
        order = list(range(self._size))
        if self._shuffle:
            generator = torch.Generator().manual_seed(self._seed + self._epoch)
            order = torch.randperm(self._size, generator=generator).tolist()
        whole = itertools.islice(itertools.cycle(order), self._length * self._ranks)
        return itertools.islice(whole, self._rank, None, self._ranks)

    def __len__(self) -> int:
        """How many indices each rank has."""
        return self._length


def train_step(
    model: DataParallel | DistributedDataParallel,
    batch: tuple[Tensor, Tensor],
    optimizer: Optimizer,
    criterion: Callable[[Tensor, Tensor], Tensor],
    micro_batches: int = 1,
    scaler: torch.amp.GradScaler | None = None,
    max_grad_norm: float | None = None,
) -> float:
    """One optimizer step on the batches of all ranks together, and its loss, the same on every rank.

    The step is the one that a single process would make with all samples of all ranks in one batch, also if the ranks
    have different numbers of samples: each sample counts the same. `model` averages equally over the ranks, so a rank
    with more samples than the others needs a larger weight.

    The batch goes through `model` in `micro_batches` parts of nearly equal size, one after the other, to save memory.
    Nothing but the last part is synchronized: forward and backward of the others run in `model.no_sync()`. Earlier
    gradients of the optimizer's parameters have no part in the step.

    With a scaler, what goes backward is the scaled loss, and the whole step has one scale: unscale, clip, step and
    update come once, after the last part, when the gradients are averaged. So an overflow on one rank has reached all
    of them, and all of them skip the step and back off alike. The mode of the model stays.

    Args:
        model: its backward pass averages, and `no_sync` switches that off.
        batch: this rank's inputs (n, ...) and targets (n, ...); n may differ between ranks.
        optimizer: over parameters of the model.
        criterion: gives the mean loss over the samples that it is given.
        micro_batches: how many parts; the same on all ranks.
        scaler: a loss scaler that has not been used in this step yet; None for no loss scale.
        max_grad_norm: if given (0.0 too), the averaged, unscaled gradient of the optimizer's parameters is scaled down
            to this global 2-norm.

    Returns:
        The mean loss over all samples of all ranks, unscaled, also if the step was skipped.

    Raises:
        ValueError: micro_batches is below 1, or a rank has fewer samples than that: raised on every rank, with the
            number of such a rank. Nothing has changed.
    """
    inputs, targets = batch
    counts = torch.zeros(dist.get_world_size(), dtype=torch.int64)
    counts[dist.get_rank()] = len(targets)
    dist.all_reduce(counts)  # so that all ranks know what each of them has
    if micro_batches < 1:
        raise ValueError(f"micro_batches must be at least 1, not {micro_batches}")
    if counts.min() < micro_batches:
        rank = int(counts.argmin())
        raise ValueError(f"rank {rank} has {counts[rank]} samples, too few for {micro_batches} micro-batches")
    of_a_sample = len(counts) / counts.sum().item()  # times the ranks, which the average divides by
    optimizer.zero_grad()
    total = 0.0
    parts = zip(inputs.tensor_split(micro_batches), targets.tensor_split(micro_batches), strict=True)
    for number, (some_inputs, some_targets) in enumerate(parts, start=1):
        with contextlib.nullcontext() if number == micro_batches else model.no_sync():
            loss = criterion(model(some_inputs), some_targets)
            weighted = loss * (len(some_targets) * of_a_sample)
            (weighted if scaler is None else scaler.scale(weighted)).backward()
        total += loss.item() * len(some_targets)
    if max_grad_norm is not None:
        if scaler is not None:
            scaler.unscale_(optimizer)
        trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        nn.utils.clip_grad_norm_(trained, max_grad_norm)
    if scaler is None:
        optimizer.step()
    else:
        scaler.step(optimizer)
        scaler.update()
    return mean_over_ranks(total, len(targets))


# Step 5: torch's DDP


def wrap_ddp(module: nn.Module, compress: bool = False, **options: Any) -> DistributedDataParallel:
    """`module` in torch's DistributedDataParallel, which does what `DataParallel` does, in C++.

    Args:
        module: on the device that it trains on.
        compress: send bfloat16, with `compress_gradients` as its communication hook, over the group that DDP uses.
        options: of DistributedDataParallel, passed on as they are: find_unused_parameters, bucket_cap_mb, init_sync,
            process_group or device_mesh, and others.
    """
    model = DistributedDataParallel(module, **options)
    if compress:
        model.register_comm_hook(model.process_group, compress_gradients)  # it may come from a device_mesh too
    return model


def compress_gradients(state: object, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
    """A communication hook of DDP: averages the bucket's gradients over the ranks, with bfloat16 on the wire.

    DDP calls it when a bucket is complete, and goes on with the backward pass: the hook must not wait. DDP does not
    divide for a hook, and takes what the future gives for the gradients: the mean, in the dtype that the bucket has.
    Gradients are divided before they are summed; whether they are cast before or after that is left open. The sum is
    that of an all-reduce: what a gather brings to each rank grows with the number of ranks.

    torch has a hook of this kind, `bf16_compress_hook`, but refuses it, and any hook of that name, without NCCL.

    Args:
        state: the process group, or None for the default one.
        bucket: its `buffer()` is a flat tensor of the gradients, of one dtype.

    Returns:
        A future of one flat tensor, the averaged gradients in their order.

    Source: torch.distributed.algorithms.ddp_comm_hooks.default_hooks
    """
    group = state if isinstance(state, dist.ProcessGroup) else dist.group.WORLD
    gradients = bucket.buffer()
    sent = (gradients / dist.get_world_size(group)).to(torch.bfloat16)

    def put_in_place(future: torch.futures.Future[list[Tensor]]) -> Tensor:
        return gradients.copy_(future.value()[0])  # casts back to the gradients' dtype

    return dist.all_reduce(sent, group=group, async_op=True).get_future().then(put_in_place)


if __name__ == "__main__":
    from labkit.labs.data_parallel.commands import main

    main(sys.modules[__name__])
