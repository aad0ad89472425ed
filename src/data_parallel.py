"""Lab 02: data parallel training, from one all-reduce to torch's own DistributedDataParallel.

Every rank holds the whole model and a part of the batch. Averages, buckets, overlap with the backward pass, data, and
half precision on the wire. Read `docs/02_data_parallel.md` beside it; run `make test-lab02` after every change.

All but `make_buckets` and `ShardSampler` work on the default process group, which the caller has formed, and are called
by all of its ranks. Without one they raise what torch.distributed raises, before anything has changed. Parameters,
buffers and gradients are dense, with any strides, the same on all ranks: a channels_last weight is not contiguous. A
gradient comes with the dtype and the strides of its parameter.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
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
    # TODO: compare the models of all ranks, then send every parameter and buffer of the source
    raise NotImplementedError("Step 1: broadcast_model")


def average_gradients(model: nn.Module) -> None:
    """Replaces the gradient of every parameter that requires one by its mean over the ranks.

    A parameter that has no gradient on this rank counts as zeros here, so that ranks agree on what they send: another
    rank's batch may have used it. Where no rank has a gradient, None and zeros are both right. Parameters that require
    no gradient are left alone.
    """
    # TODO: for each trained parameter: zeros if it has no gradient, then the mean over the ranks
    raise NotImplementedError("Step 1: average_gradients")


def mean_over_ranks(total: float, count: int) -> float:
    """The sum of all ranks' totals divided by the sum of all ranks' counts, the same on every rank.

    That is the mean over all samples if each rank gives its sum and its number of samples; the mean of the ranks' means
    is another number where the counts differ. Summed in float64, which has every count below 2**53. A rank may count 0.

    Raises:
        ValueError: the counts are 0 on all ranks; raised on all of them.
    """
    # TODO: add up totals and counts over all ranks in float64, then divide
    raise NotImplementedError("Step 1: mean_over_ranks")


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
    # TODO: from the last parameter to the first, begin a bucket whenever the newest one has no room or another dtype
    raise NotImplementedError("Step 2: make_buckets")


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
    # TODO: for each bucket: flatten, divide, cast, all-reduce, and copy the parts back
    raise NotImplementedError("Step 2: average_in_buckets")


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
        # TODO: check the module, start from rank 0, make buckets, hook every trained parameter
        raise NotImplementedError("Step 3: DataParallel.__init__")

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module gives for these arguments.

        In train mode the buffers of all ranks become those of rank 0 first, also under torch.no_grad(), unless this
        runs in `no_sync`. They are those that the module has now: it may have assigned new ones. What happens in eval
        mode is left open, and in the first pass inside of `no_sync`, after it and after one under torch.no_grad():
        torch's DDP goes by the pass before.
        """
        # TODO: in train mode and outside of no_sync send rank 0's buffers; run the module
        raise NotImplementedError("Step 3: DataParallel.forward")

    def no_sync(self) -> Iterator[None]:
        """A context manager, `with model.no_sync():`, in which gradients accumulate on this rank and nothing is sent.

        It holds for a forward pass and its backward pass that both run inside. The first backward pass after it
        averages all that has accumulated, also of parameters that only the passes inside have used. Nests; ends by an
        exception too, which passes through.
        """
        # TODO: a context manager (contextlib.contextmanager) that switches sending off, and back as it was
        raise NotImplementedError("Step 3: DataParallel.no_sync")


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
        # TODO: check the numbers; how many indices each rank has
        raise NotImplementedError("Step 4: ShardSampler.__init__")

    def set_epoch(self, epoch: int) -> None:
        """The epoch, from 0 on, whose order the next iteration has; without a call it is that of epoch 0 each time."""
        # TODO: keep the epoch
        raise NotImplementedError("Step 4: ShardSampler.set_epoch")

    def __iter__(self) -> Iterator[int]:
        """This rank's indices.

        The order depends on size, shuffle, seed and epoch alone, in every process and whenever it runs: torch's own
        random generator is neither read nor moved, and each iteration of one epoch has the same.
        """
        # TODO: the epoch's order of all samples, repeated or cut to fit, every ranks-th of it
        raise NotImplementedError("Step 4: ShardSampler.__iter__")

    def __len__(self) -> int:
        """How many indices each rank has."""
        # TODO: how many indices each rank has
        raise NotImplementedError("Step 4: ShardSampler.__len__")


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
    # TODO: weigh each part by its samples, synchronize the last alone; then unscale, clip, step and update once
    raise NotImplementedError("Step 4: train_step")


# Step 5: torch's DDP


def wrap_ddp(module: nn.Module, compress: bool = False, **options: Any) -> DistributedDataParallel:
    """`module` in torch's DistributedDataParallel, which does what `DataParallel` does, in C++.

    Args:
        module: on the device that it trains on.
        compress: send bfloat16, with `compress_gradients` as its communication hook, over the group that DDP uses.
        options: of DistributedDataParallel, passed on as they are: find_unused_parameters, bucket_cap_mb, init_sync,
            process_group or device_mesh, and others.
    """
    # TODO: torch's DDP with these options; the hook if gradients are to be compressed
    raise NotImplementedError("Step 5: wrap_ddp")


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
    # TODO: divide, cast, all-reduce without waiting; then the mean in the bucket's dtype
    raise NotImplementedError("Step 5: compress_gradients")


if __name__ == "__main__":
    from labkit.labs.data_parallel.commands import main

    main(sys.modules[__name__])
