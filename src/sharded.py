"""Lab 03: sharded data parallel training: every rank holds a part of weights, gradients and optimizer state.

Shards, a sharded optimizer (ZeRO 1), a sharded model (ZeRO 3), what training needs around it, the same by PyTorch's
FSDP2, and probes that show what is wrong with a run. Read `docs/03_sharded.md` beside it; run `make test-lab03` after
every change.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim import Optimizer

__all__ = [
    "ShardedModel",
    "ShardedOptimizer",
    "clip_grad_norm",
    "drifted",
    "first_difference",
    "flatten",
    "fsdp2",
    "full_state",
    "kept_whole",
    "odd_ranks",
    "shard",
    "unshard",
    "waiting_ranks",
]

# all_gather(whole, part) and reduce_scatter(part, whole), a sum: torch 2.13 has new names for them, 2.11 the old alone.
all_gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
reduce_scatter = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor


# Step 1: shards


def shard(tensor: Tensor, rank: int, ranks: int) -> Tensor:
    """The part of `tensor` that `rank` holds: one dimension, ceil(numel / ranks) elements.

    Rank r holds elements r * size to (r + 1) * size of the flattened tensor (row by row, as `flatten()` gives them).
    Where the tensor ends before its last shards do, zeros fill them up, so that all ranks hold the same number: zeros
    change neither a sum nor a norm. The shard has the tensor's dtype and device, no graph, and memory of its own: the
    tensor can be freed.

    Args:
        tensor: any shape (0-d, empty, not contiguous) and dtype.
        rank: 0 <= rank < ranks.

    Raises:
        ValueError: there is no such rank.
    """
    # TODO: flatten, take this rank's elements, fill up with zeros, in memory of its own
    raise NotImplementedError("Step 1: shard")


def unshard(shards: Sequence[Tensor], shape: Sequence[int]) -> Tensor:
    """The tensor of `shape` whose shards these are, in the order of the ranks; their padding is cut off.

    The inverse of `shard`, with the shards' dtype and device, and memory of its own.

    Raises:
        ValueError: the shards differ in size, or are not those of a tensor of this shape: each has
            ceil(numel / ranks) elements.
    """
    # TODO: check the shards' sizes; put them together, cut the padding, give the shape
    raise NotImplementedError("Step 1: unshard")


def flatten(tensors: Sequence[Tensor], ranks: int) -> Tensor:
    """All elements of `tensors` in one dimension, tensor after tensor, then zeros up to a multiple of `ranks`.

    One collective call can then move them all, and every rank gets a part of the same size. The result has the
    tensors' dtype and device, no graph, and memory of its own. No more zeros than needed: fewer than `ranks`.

    Raises:
        ValueError: there are no tensors, or they differ in dtype or in device (the message names all that were found).
    """
    # TODO: check dtypes and devices; one vector of all elements, with zeros up to a multiple of ranks
    raise NotImplementedError("Step 1: flatten")


# Step 2: a sharded optimizer (ZeRO 1)


class ShardedOptimizer:
    """An optimizer whose state is cut into one part a rank: weights and gradients are whole, the rest is not.

    An iteration goes: forward and backward on this rank's batch, `step()`, `zero_grad()`. It trains like one process
    on the batches of all ranks together. Whole vectors that a method makes on its way are freed when it returns.

    Source: https://arxiv.org/abs/1910.02054, section 5.1 (P_os)
    """

    def __init__(self, parameters: Iterable[nn.Parameter], optimizer_class: type[Optimizer], **defaults: Any) -> None:
        """Cuts the weights, and makes the optimizer of this rank's part.

        This rank's part of the weights is kept in float32 (master weights), also where the parameters are bfloat16.
        It is one flat shard of all parameters, or one shard of each; either way a rank holds its share of the numbers,
        and at most one number of padding for each parameter.

        Args:
            parameters: of the model, equal on all ranks and in the same order; any iterable, of any layout in memory.
                Frozen ones (`requires_grad` is False) are left alone, whatever their dtype.
            optimizer_class, defaults: `optimizer_class([...], **defaults)` makes the optimizer, once. It has to work
                element by element, as SGD and AdamW do.

        Raises:
            RuntimeError: torch.distributed is not initialized.
            ValueError: no parameter trains, or those that do differ in dtype or in device.
        """
        # TODO: this rank's float32 shard of the parameters that train, and an optimizer of it
        raise NotImplementedError("Step 2: ShardedOptimizer.__init__")

    def step(self) -> None:
        """Averages the gradients over the ranks, steps this rank's part, and gives all ranks the new weights.

        The average is made in float32, whatever the gradients' dtype: they are cast before they are added up or
        divided. Each rank receives the average of its part only. The weights are sent in the parameters' dtype. Of
        float32 parameters that is 4 bytes a parameter each way, of bfloat16 ones 4 and 2. The parameters stay the same
        objects. A missing gradient counts as zero; a parameter may have one on some ranks only. Whether `grad` holds
        the local gradient or something else afterwards is open.
        """
        # TODO: average the gradients to shards in float32, step the own one, gather the weights
        raise NotImplementedError("Step 2: ShardedOptimizer.step")

    def zero_grad(self) -> None:
        """Removes the gradients of the parameters, or sets them to zero."""
        # TODO: remove the parameters' gradients
        raise NotImplementedError("Step 2: ShardedOptimizer.zero_grad")

    def state_dict(self) -> dict[str, Any]:
        """The state of the optimizer of this rank's part, as its own `state_dict` gives it, settings included.

        Its tensors (AdamW's two moments) are float32 and have the shape of this rank's shard, or shards. Other ranks
        hold the rest: a checkpoint has a file for each rank.
        """
        # TODO: the state of this rank's optimizer
        raise NotImplementedError("Step 2: ShardedOptimizer.state_dict")


# Step 3: a sharded model (ZeRO 3)


class ShardedModel(nn.Module):
    """`module`, of which every rank holds a part: whole weights exist while a unit of it computes, and no longer.

    A unit is a part of the module whose parameters are gathered together: right before its forward pass, freed after
    it, gathered again for its backward pass, and freed when that has made its gradients. These are averaged over the
    ranks by a reduce-scatter as soon as the unit has them all, so that whole gradients do not pile up either. Frozen
    weights may stay until the end of the backward pass.

    Training: `optimizer = AdamW(model.shards())`, then forward, backward, `optimizer.step()`, `optimizer.zero_grad()`
    as usual. It trains like one process on the batches of all ranks together. All ranks run the same units in the same
    order, and a parameter gets a gradient on all ranks or on none. A unit may run several times in a forward pass, or
    again in its backward pass (`torch.utils.checkpoint` with `use_reentrant=False`, with or without an early stop).

    Sources: https://arxiv.org/abs/1910.02054, section 5.3 (P_os+g+p); https://arxiv.org/abs/2304.11277
    """

    def __init__(
        self,
        module: nn.Module,
        units: Sequence[nn.Module] | None = None,
        param_dtype: torch.dtype | None = None,
        reduce_dtype: torch.dtype = torch.float32,
        reshard: bool = True,
    ) -> None:
        """Cuts the module's weights into shards and frees the whole ones.

        All ranks start from rank 0's parameters and buffers, whatever theirs were. An optimizer that was made of the
        module's parameters before would train nothing from now on: its `step()` raises a RuntimeError that names
        `shards()`.

        Args:
            module: its parameters become the gathered ones: the same objects, whose memory comes and goes. Outside of
                the passes they have none, or old values: read them by `full_state_dict`. Buffers stay whole.
            units: modules in `module` that have no parameter in common but tied ones. None: its children; of a
                ModuleList or ModuleDict, which is not called itself, the members; an empty list: no units. A parameter
                in no unit, or tied between two, belongs to the module as a whole and is gathered from the start of its
                forward pass.
            param_dtype: of the gathered weights, of what is sent to gather them, and of the floating inputs, which
                every unit casts, also in lists and dicts. None: the dtype that the parameters had.
            reduce_dtype: of the gradients while they are sent and added up over the ranks. bfloat16 loses what is
                small: 256 + 1 = 256. What the shards add up over several passes is float32 all the same.
            reshard: free a unit's weights after its forward pass. False keeps them for its backward pass: one gather
                less, all the memory. Without gradients (`torch.no_grad()`) there is no backward pass, and either frees.

        Raises:
            RuntimeError: torch.distributed is not initialized.
            ValueError: a unit is not in the module, is named twice, lies in another one, or is never called (a
                ModuleList); or the parameters of one unit differ in dtype or in device. Nothing has changed on
                any rank.
        """
        # TODO: check; float32 shards of rank 0's weights; free the whole ones; hooks gather, free and reduce
        raise NotImplementedError("Step 3: ShardedModel.__init__")

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The module's output, computed with the weights as they are now, also right after an optimizer step.

        The output has the dtype that the module gives it: bfloat16 with `param_dtype=torch.bfloat16`.
        """
        # TODO: forget what an earlier pass left gathered, then call the module
        raise NotImplementedError("Step 3: ShardedModel.forward")

    def shards(self) -> list[nn.Parameter]:
        """What this rank holds of the parameters, and what its optimizer is made for: float32, in one dimension.

        They are float32 whatever the dtypes of parameters and gathered weights (master weights), and the same objects
        at every call. After backward, `grad` is this rank's part of the gradient, averaged over the ranks, in float32
        and without a graph; a second backward adds to it (accumulation). Shards of frozen parameters get none and do
        not require gradients. How many shards there are is open: one for each unit, or one for each parameter; all
        ranks together hold each number once, besides at most `ranks` zeros for each parameter.
        """
        # TODO: the shards of all units
        raise NotImplementedError("Step 3: ShardedModel.shards")

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """The shards, so that `parameters()` and `zero_grad()` mean them."""
        for index, one in enumerate(self.shards()):
            yield f"{prefix}{'.' if prefix else ''}shards.{index}", one

    def full_state_dict(self) -> dict[str, Tensor]:
        """The whole state on every rank: what `module.state_dict()` has, under the same names and in the same shapes.

        Parameters come in float32 from the shards (not from gathered weights, which may be rounded), tied ones under
        each of their names, frozen ones too; buffers come as they are. The tensors have memory of their own. It fits a
        plain module, and `load_full_state_dict` for any number of ranks. All ranks have to call it.
        """
        # TODO: gather the float32 shards, and name them as the module does
        raise NotImplementedError("Step 4: ShardedModel.full_state_dict")

    def load_full_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes over a whole state: that of `full_state_dict`, also of another number of ranks, or of a plain module.

        Every rank gives the same whole state and copies its own part of it into its shards, which stay the same
        objects: an optimizer that was made before goes on with them, and its state stays.

        Raises:
            ValueError: the state has other names or shapes than `module.state_dict()`; nothing has changed.
        """
        # TODO: check names and shapes; copy the own part into the shards
        raise NotImplementedError("Step 4: ShardedModel.load_full_state_dict")


# Step 4: around it


def clip_grad_norm(shards: Iterable[nn.Parameter], max_norm: float) -> float:
    """Scales the gradients of all ranks' shards, in place, down to the 2-norm `max_norm`; gives the norm before.

    The norm is that of all entries of all shards on all ranks, so that every rank gets the same number and scales by
    the same factor, or none: a smaller norm is left alone. Nothing is added to the norm, so that gradients of 1e-6 end
    at the limit too. It is added up in float32 or wider, where the squares of finite gradients (up to 1e30) do not
    overflow. If any gradient on any rank is inf or nan, the norm is inf or nan on all ranks and the gradients stay as
    they are: all ranks can skip the step alike.

    The ranks exchange a few numbers, not gradients. A shard without a gradient counts as zero; all ranks have to call
    this, also one that has no gradient.

    Args:
        shards: of this rank; any iterable, which is read once.
        max_norm: 0.0 is a limit too.

    Raises:
        RuntimeError: torch.distributed is not initialized.
        ValueError: max_norm is negative or nan.
    """
    # TODO: the norm over all shards of all ranks; scale down if it is finite and too large
    raise NotImplementedError("Step 4: clip_grad_norm")


# Step 5: FSDP2


def fsdp2(
    model: nn.Module,
    param_dtype: torch.dtype | None,
    reduce_dtype: torch.dtype = torch.float32,
    reshard: bool = True,
) -> nn.Module:
    """`model` sharded by PyTorch's FSDP2, in place: the arguments mean what they mean to `ShardedModel`.

    All ranks start from rank 0's parameters and buffers, which `fully_shard` does not see to. Each child with
    parameters is a unit (of a ModuleList or ModuleDict, which is not called itself, the members), and the model with
    what is left; a child that shares a parameter with another one is left to the model too. `reshard` holds for all of
    them: by default FSDP2 keeps what the model itself gathers. It shards every parameter along its first dimension and
    keeps the parameters' dtype in the shards, so the model's should be float32.

    MixedPrecisionPolicy alone is a trap: without `reduce_dtype` it averages gradients in `param_dtype`.

    Raises:
        RuntimeError: torch.distributed is not initialized.

    Source: https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html
    """
    # TODO: rank 0's weights for all; fully_shard each child, then the model, with both dtypes
    raise NotImplementedError("Step 5: fsdp2")


def full_state(model: nn.Module) -> dict[str, Tensor]:
    """The whole state of a model that `fsdp2` sharded, on every rank: plain tensors, no DTensors.

    It has the names and shapes of the model before it was sharded, parameters and buffers. The tensors have memory of
    their own. All ranks have to call it.
    """
    # TODO: the state dict with every DTensor made whole
    raise NotImplementedError("Step 5: full_state")


# Step 6: puzzles


def waiting_ranks(stacks: Sequence[str], file: str) -> dict[str, list[int]]:
    """Where the ranks of a run that hangs wait: which ranks are at which line of `file`.

    A rank waits at the innermost frame of `file` in its stack, which is the first one there. A run in which all ranks
    wait for the same call has one line with all ranks.

    Args:
        stacks: of each rank, what `faulthandler.dump_traceback` wrote, as the reading shows it: the threads one after
            another, the frames of each from the innermost to the outermost. At most one thread has frames of `file`.
        file: a file's name without its folders. "train.py" is neither "retrain.py" nor "train.pyx".

    Returns:
        The ranks in ascending order, by the line as the stack gives it: {"line 41 in log_loss": [0, 2]}, or
        "line 90 in <module>". Under "elsewhere" are the ranks whose stack has no frame of `file`.
    """
    # TODO: the first frame of the file in each stack; the ranks by its line
    raise NotImplementedError("Step 6: waiting_ranks")


def first_difference(calls: Sequence[Sequence[Mapping[str, Any]]]) -> tuple[int, str, list[int]] | None:
    """The first call at which the ranks part: its index, the cause and the odd ranks. None if they never do.

    Args:
        calls: `calls[rank][index]` is a collective call as a dict with its "name", "dtype" and "shape". What else it
            has, such as the time, plays no part. Some ranks may have made fewer calls than others.

    Returns:
        The index, from 0. The cause is the first of these that is true of the ranks' calls with this index:
            "ended": there are ranks that have made fewer calls;
            "name", "dtype", "shape": these are not the same on all ranks.
        The odd ranks, in ascending order, are those whose call is not the one that most ranks made. (No call counts
        like a call.) Of calls that equally many ranks made, the lowest rank's is taken for right.
    """
    # TODO: the logs side by side; the first index at which not all ranks made the same call
    raise NotImplementedError("Step 6: first_difference")


def odd_ranks(tensor: Tensor) -> list[int]:
    """The ranks whose `tensor` has another shape or dtype than that of most ranks; the same list on every rank.

    Ask before a collective call, which would abort or wait for ever. The list ascends, and is empty if all ranks agree.
    Of kinds that equally many ranks have, the lowest rank's is taken for right. Values and layout in memory play no
    part; the number of dimensions does: (0,) is neither () nor (0, 0). The tensor stays as it is and is not sent: only
    its kind is. All ranks have to call this.
    """
    # TODO: gather dtype and shape of all ranks; those that most do not have
    raise NotImplementedError("Step 6: odd_ranks")


def drifted(model: nn.Module) -> dict[str, list[int]]:
    """The entries of `model.state_dict()` that differ between the ranks, and the ranks that are odd in each.

    Two ranks differ in an entry if a bit of its elements differs: a nan with the same bits is equal, -0.0 and 0.0 are
    not; where the elements lie in memory plays no part. The odd ranks, in ascending order, are those whose entry is not
    the one that most ranks have. Of entries that equally many ranks have, the lowest rank's is taken for right. An
    entry that is the same on all ranks is left out: {} means that nothing has drifted. Every rank gets the same answer.

    The ranks have the same names, shapes and dtypes; the dtype is any. They exchange a digest of each entry (at most
    a few hundred bytes) and never the entries. The model, its gradients included, stays as it is. All ranks have to
    call this.
    """
    # TODO: gather a digest of each entry's bytes; the odd ranks of each
    raise NotImplementedError("Step 6: drifted")


def kept_whole(units: Mapping[str, nn.Module], step: Callable[[], object]) -> dict[str, str]:
    """The units that hold whole weights when they should have freed them, and when that is, in one call of `step`.

    A unit holds whole weights while the storage of any of its parameters has bytes: freed ones keep their shape, and
    lose their memory by `untyped_storage().resize_(0)`. Units are looked at without being changed: no hook is left on
    them, also where `step` raises or is interrupted (Ctrl-C). Its exception passes through.

    Args:
        units: modules by name, such as those of a `ShardedModel`; they free in hooks that they have already.
        step: makes one training step, forward and backward. It is called once. A unit may run several times in it.

    Returns:
        By the unit's name:
            "after forward": its weights were whole at the end of a forward pass of it, and are not after the step;
            "after backward": they were freed at the end of each of its forward passes, and are whole after the step;
            "never": they were whole both times.
        A unit that is freed both times is left out: {} means that every unit frees.
    """
    # TODO: look at the storages in a forward hook of each unit and after the step; remove the hooks
    raise NotImplementedError("Step 6: kept_whole")


if __name__ == "__main__":
    from labkit.labs.sharded.commands import main

    main(sys.modules[__name__])
