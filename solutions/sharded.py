"""Lab 03: sharded data parallel training: every rank holds a part of weights, gradients and optimizer state.

Shards, a sharded optimizer (ZeRO 1), a sharded model (ZeRO 3), what training needs around it, the same by PyTorch's
FSDP2, and probes that show what is wrong with a run. Read `docs/03_sharded.md` beside it; run `make test-lab03` after
every change.
"""

import functools
import hashlib
import itertools
import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd import Variable
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils._pytree import tree_leaves, tree_map

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
    if not 0 <= rank < ranks:
        raise ValueError(f"rank must be from 0 to {ranks - 1}, not {rank}")
    size = math.ceil(tensor.numel() / ranks)
    part = tensor.detach().reshape(-1)[rank * size : (rank + 1) * size]
    padded = part.new_zeros(size)
    padded[: len(part)] = part
    return padded


def unshard(shards: Sequence[Tensor], shape: Sequence[int]) -> Tensor:
    """The tensor of `shape` whose shards these are, in the order of the ranks; their padding is cut off.

    The inverse of `shard`, with the shards' dtype and device, and memory of its own.

    Raises:
        ValueError: the shards differ in size, or are not those of a tensor of this shape: each has
            ceil(numel / ranks) elements.
    """
    numel = math.prod(shape)
    size = math.ceil(numel / max(len(shards), 1))
    if not shards or any(one.shape != (size,) for one in shards):
        sizes = ", ".join(str(one.numel()) for one in shards) or "no"
        raise ValueError(f"a tensor of shape {tuple(shape)} needs shards of {size} elements each, not {sizes}")
    return torch.cat(list(shards))[:numel].reshape(tuple(shape))


def flatten(tensors: Sequence[Tensor], ranks: int) -> Tensor:
    """All elements of `tensors` in one dimension, tensor after tensor, then zeros up to a multiple of `ranks`.

    One collective call can then move them all, and every rank gets a part of the same size. The result has the
    tensors' dtype and device, no graph, and memory of its own. No more zeros than needed: fewer than `ranks`.

    Raises:
        ValueError: there are no tensors, or they differ in dtype or in device (the message names all that were found).
    """
    _check_kinds(tensors)
    numel = sum(tensor.numel() for tensor in tensors)
    whole = tensors[0].new_zeros(math.ceil(numel / ranks) * ranks)
    torch.cat([tensor.detach().reshape(-1) for tensor in tensors], out=whole[:numel])
    return whole


def _check_kinds(tensors: Sequence[Tensor]) -> None:
    kinds = {f"{tensor.dtype} on {tensor.device}" for tensor in tensors}
    if not kinds:
        raise ValueError("there is no tensor to flatten: does any parameter train?")
    if len(kinds) > 1:
        raise ValueError(f"the tensors must have one dtype and device, not {' and '.join(sorted(kinds))}")


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
        self._rank, self._ranks = _rank_and_ranks()
        self._parameters = [parameter for parameter in parameters if parameter.requires_grad]
        whole = flatten(self._parameters, self._ranks)
        self._master = nn.Parameter(shard(whole, self._rank, self._ranks).float())
        self._dtype = whole.dtype
        self._optimizer = optimizer_class([self._master], **defaults)

    @torch.no_grad()
    def step(self) -> None:
        """Averages the gradients over the ranks, steps this rank's part, and gives all ranks the new weights.

        The average is made in float32, whatever the gradients' dtype: they are cast before they are added up or
        divided. Each rank receives the average of its part only. The weights are sent in the parameters' dtype. Of
        float32 parameters that is 4 bytes a parameter each way, of bfloat16 ones 4 and 2. The parameters stay the same
        objects. A missing gradient counts as zero; a parameter may have one on some ranks only. Whether `grad` holds
        the local gradient or something else afterwards is open.
        """
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in self._parameters]
        self._master.grad = _mean_of_shard(flatten(gradients, self._ranks).float(), self._ranks)
        self._optimizer.step()
        self._master.grad = None
        whole = _gathered(self._master.to(self._dtype), self._ranks)
        for parameter, value in zip(self._parameters, _views(whole, self._parameters), strict=True):
            parameter.copy_(value)

    def zero_grad(self) -> None:
        """Removes the gradients of the parameters, or sets them to zero."""
        for parameter in self._parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """The state of the optimizer of this rank's part, as its own `state_dict` gives it, settings included.

        Its tensors (AdamW's two moments) are float32 and have the shape of this rank's shard, or shards. Other ranks
        hold the rest: a checkpoint has a file for each rank.
        """
        return self._optimizer.state_dict()


def _rank_and_ranks() -> tuple[int, int]:
    """This process's rank, and how many there are."""
    if not dist.is_initialized():
        raise RuntimeError(
            "torch.distributed is not initialized: call init_process_group first, and start with torchrun"
        )
    return dist.get_rank(), dist.get_world_size()


def _gathered(part: Tensor, ranks: int) -> Tensor:
    """The parts of all ranks, one after the other."""
    whole = part.new_empty(len(part) * ranks)
    all_gather(whole, part)
    return whole


def _mean_of_shard(whole: Tensor, ranks: int) -> Tensor:
    """This rank's shard of the mean over all ranks of `whole`, added up in its dtype."""
    part = whole.new_empty(len(whole) // ranks)
    reduce_scatter(part, whole)
    return part / ranks


def _views(whole: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    """The parts of `whole` that belong to each parameter, in its shape; what is left at the end is padding."""
    sizes = [parameter.numel() for parameter in parameters]
    parts = whole[: sum(sizes)].split(sizes)
    return [part.view(parameter.shape) for part, parameter in zip(parts, parameters, strict=True)]


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
        super().__init__()
        _rank_and_ranks()
        units = _called_children(module) if units is None else list(units)
        _check_units(module, units)
        parameters = _parameters_of_units(module, units)
        for own in parameters.values():
            _check_kinds(own)
        self.module = module
        self._units = [_Unit(unit, own, param_dtype, reduce_dtype, reshard) for unit, own in parameters.items()]
        for buffer in module.buffers():
            dist.broadcast(buffer, 0)
        _refuse_old_optimizers()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The module's output, computed with the weights as they are now, also right after an optimizer step.

        The output has the dtype that the module gives it: bfloat16 with `param_dtype=torch.bfloat16`.
        """
        for unit in self._units:
            unit.reset()
        return self.module(*args, **kwargs)

    def shards(self) -> list[nn.Parameter]:
        """What this rank holds of the parameters, and what its optimizer is made for: float32, in one dimension.

        They are float32 whatever the dtypes of parameters and gathered weights (master weights), and the same objects
        at every call. After backward, `grad` is this rank's part of the gradient, averaged over the ranks, in float32
        and without a graph; a second backward adds to it (accumulation). Shards of frozen parameters get none and do
        not require gradients. How many shards there are is open: one for each unit, or one for each parameter; all
        ranks together hold each number once, besides at most `ranks` zeros for each parameter.
        """
        return [flat.shard for unit in self._units for flat in unit.flats]

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """The shards, so that `parameters()` and `zero_grad()` mean them."""
        for index, one in enumerate(self.shards()):
            yield f"{prefix}{'.' if prefix else ''}shards.{index}", one

    @torch.no_grad()
    def full_state_dict(self) -> dict[str, Tensor]:
        """The whole state on every rank: what `module.state_dict()` has, under the same names and in the same shapes.

        Parameters come in float32 from the shards (not from gathered weights, which may be rounded), tied ones under
        each of their names, frozen ones too; buffers come as they are. The tensors have memory of their own. It fits a
        plain module, and `load_full_state_dict` for any number of ranks. All ranks have to call it.
        """
        whole = {
            parameter: value.clone()
            for unit in self._units
            for flat in unit.flats
            for parameter, value in zip(flat.parameters, flat.gathered_in_float32(), strict=True)
        }
        state = self.module.state_dict(keep_vars=True)
        return {name: whole[value] if value in whole else value.clone() for name, value in state.items()}

    @torch.no_grad()
    def load_full_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes over a whole state: that of `full_state_dict`, also of another number of ranks, or of a plain module.

        Every rank gives the same whole state and copies its own part of it into its shards, which stay the same
        objects: an optimizer that was made before goes on with them, and its state stays.

        Raises:
            ValueError: the state has other names or shapes than `module.state_dict()`; nothing has changed.
        """
        own = self.module.state_dict(keep_vars=True)
        shapes = [{name: tuple(value.shape) for name, value in one.items()} for one in (state, own)]
        if shapes[0] != shapes[1]:
            different = sorted(dict(shapes[0].items() ^ shapes[1].items()))
            raise ValueError(f"the state is of another model: {', '.join(different)}")
        new = {value: state[name] for name, value in own.items()}
        for unit in self._units:
            for flat in unit.flats:
                flat.take([new.pop(parameter) for parameter in flat.parameters])
        for buffer, value in new.items():
            buffer.copy_(value)


class _Flat:
    """Parameters of one unit that all train, or are all frozen, as one vector; this rank holds a shard of it.

    `whole` is where it is gathered. The parameters are views of it, so that they have memory when it does.
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], param_dtype: torch.dtype | None, reduce_dtype: torch.dtype
    ) -> None:
        self.parameters, self.reduce_dtype = list(parameters), reduce_dtype
        self.rank, self.ranks = _rank_and_ranks()
        start = flatten(self.parameters, self.ranks)
        dist.broadcast(start, 0)
        self.trains = parameters[0].requires_grad
        self.shard = nn.Parameter(shard(start, self.rank, self.ranks).float(), requires_grad=self.trains)
        self.whole = torch.empty_like(start, dtype=param_dtype)
        for parameter, view in zip(self.parameters, _views(self.whole, self.parameters), strict=True):
            parameter.data = view
            parameter.grad = None
            parameter.in_sharded_model = True  # type: ignore[attr-defined]  # for _refuse_old_optimizers
        self.bytes = self.whole.untyped_storage().nbytes()
        self.free()

    def gather(self) -> None:
        storage = self.whole.untyped_storage()
        if storage.nbytes() < self.bytes:
            storage.resize_(self.bytes)
            all_gather(self.whole, self.shard.detach().to(self.whole.dtype))

    def free(self) -> None:
        self.whole.untyped_storage().resize_(0)

    def reduce(self) -> None:
        """Adds the mean of all ranks' gradients to the shard's; the whole ones are freed."""
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in self.parameters]
        for parameter in self.parameters:
            parameter.grad = None
        whole = flatten(gradients, self.ranks).to(self.reduce_dtype)
        mean = _mean_of_shard(whole, self.ranks).float()
        self.shard.grad = mean if self.shard.grad is None else self.shard.grad + mean

    def gathered_in_float32(self) -> list[Tensor]:
        return _views(_gathered(self.shard.detach(), self.ranks), self.parameters)

    def take(self, values: Sequence[Tensor]) -> None:
        whole = flatten([value.to(self.shard) for value in values], self.ranks)
        self.shard.copy_(shard(whole, self.rank, self.ranks))


class _Unit:
    """Gathers, frees and reduces the parameters of one module by hooks on its passes."""

    def __init__(
        self,
        module: nn.Module,
        parameters: Sequence[nn.Parameter],
        param_dtype: torch.dtype | None,
        reduce_dtype: torch.dtype,
        reshard: bool,
    ) -> None:
        self.param_dtype, self.reshard = param_dtype, reshard
        kinds = [[one for one in parameters if one.requires_grad is trains] for trains in (True, False)]
        self.flats = [_Flat(kind, param_dtype, reduce_dtype) for kind in kinds if kind]
        self.in_backward = False
        self.missing: set[nn.Parameter] = set()  # the parameters that have no gradient yet in this backward pass
        module.register_forward_pre_hook(self._before_forward, with_kwargs=True)
        module.register_forward_hook(self._after_forward)
        for parameter in kinds[0]:
            parameter.register_post_accumulate_grad_hook(self._has_gradient)

    def gather(self) -> None:
        for flat in self.flats:
            flat.gather()

    def free(self) -> None:
        for flat in self.flats:
            flat.free()

    def reset(self) -> None:
        """Forgets what an earlier forward pass has left gathered, and a backward pass that ended in an error."""
        self.in_backward = False
        self.free()

    def _before_forward(self, module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        self.gather()
        return tree_map(self._cast, (args, kwargs))

    def _cast(self, value: Any) -> Any:
        floating = isinstance(value, Tensor) and value.is_floating_point()
        return value.to(self.param_dtype) if floating and self.param_dtype is not None else value

    def _after_forward(self, module: nn.Module, args: tuple, output: Any) -> None:
        for tensor in tree_leaves(output):
            if isinstance(tensor, Tensor) and tensor.requires_grad:
                tensor.register_hook(self._before_backward)
        # A forward pass inside backward recomputes (activation checkpointing): what it gathers is used right away.
        if (self.reshard or not torch.is_grad_enabled()) and not self.in_backward:
            self.free()

    def _before_backward(self, gradient: Tensor) -> None:
        self.gather()
        if not self.in_backward:
            self.in_backward = True
            self.missing = {parameter for flat in self.flats if flat.trains for parameter in flat.parameters}
            Variable._execution_engine.queue_callback(self._after_backward)

    def _has_gradient(self, parameter: nn.Parameter) -> None:
        self.missing.discard(parameter)
        if not self.missing:
            self._reduce()

    def _reduce(self) -> None:
        for flat in self.flats:
            if flat.trains:
                flat.reduce()
                flat.free()  # frozen weights may still be needed, for the gradient of the unit's input

    def _after_backward(self) -> None:
        """At the end of the whole backward pass: a unit with unused parameters has waited for them in vain."""
        self.in_backward = False
        if any(parameter.grad is not None for flat in self.flats for parameter in flat.parameters):
            self._reduce()
        self.free()


def _called_children(module: nn.Module) -> list[nn.Module]:
    """The children with parameters; of one that is not called itself (a ModuleList, a ModuleDict), those in it."""
    found: list[nn.Module] = []
    for child in module.children():
        if _is_never_called(child):
            found += _called_children(child)
        elif any(True for _ in child.parameters()):
            found.append(child)
    return list(dict.fromkeys(found))


def _is_never_called(module: nn.Module) -> bool:
    return type(module).forward is nn.Module.forward


def _check_units(module: nn.Module, units: Sequence[nn.Module]) -> None:
    names = {one: name or "the module itself" for name, one in module.named_modules()}
    for unit in units:
        kind = type(unit).__name__
        if unit not in names:
            raise ValueError(f"a unit ({kind}) is not in the module")
        if _is_never_called(unit):
            raise ValueError(f"the unit {names[unit]} ({kind}) is never called: name the modules in it")
        inner = [one for one in unit.modules() if one is not unit and one in units]
        if inner or units.count(unit) > 1:
            raise ValueError(f"units overlap: {names[(inner or [unit])[0]]} lies in {names[unit]}, which is one too")


def _parameters_of_units(module: nn.Module, units: Sequence[nn.Module]) -> dict[nn.Module, list[nn.Parameter]]:
    """The parameters of each unit, and of the module those that belong to no unit, or to several."""
    owners = Counter(parameter for unit in units for parameter in unit.parameters())
    own = {unit: [one for one in unit.parameters() if owners[one] == 1] for unit in units}
    rest = [one for one in module.parameters() if owners[one] != 1]
    own[module] = own.get(module, []) + rest
    return {unit: parameters for unit, parameters in own.items() if parameters}


@functools.cache
def _refuse_old_optimizers() -> None:
    """From now on, an optimizer that was made before its model was sharded says so: it would do nothing at all."""

    def check(optimizer: Optimizer, args: tuple, kwargs: dict[str, Any]) -> None:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        if any(hasattr(parameter, "in_sharded_model") for parameter in parameters):
            raise RuntimeError("this optimizer has parameters that were sharded: make it of the model's shards()")

    register_optimizer_step_pre_hook(check)


# Step 4: around it


@torch.no_grad()
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
    _rank_and_ranks()
    if not max_norm >= 0.0:
        raise ValueError(f"max_norm must be at least 0, not {max_norm}")
    shards = list(shards)
    gradients = [one.grad for one in shards if one.grad is not None]
    total = torch.zeros((), dtype=torch.float64, device=shards[0].device if shards else None)
    for gradient in gradients:
        total += gradient.double().square().sum()
    dist.all_reduce(total)
    norm = total.sqrt().item()
    if max_norm < norm < math.inf:
        for gradient in gradients:
            gradient.mul_(max_norm / norm)
    return norm


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
    _, ranks = _rank_and_ranks()
    for tensor in [*model.parameters(), *model.buffers()]:
        dist.broadcast(tensor.detach(), 0)
    mesh = init_device_mesh(next(model.parameters()).device.type, (ranks,))
    policy = MixedPrecisionPolicy(param_dtype=param_dtype, reduce_dtype=reduce_dtype)
    units = _called_children(model)
    owners = Counter(parameter for unit in units for parameter in unit.parameters())
    for unit in units:
        if all(owners[parameter] == 1 for parameter in unit.parameters()):
            fully_shard(unit, mesh=mesh, mp_policy=policy, reshard_after_forward=reshard)
    fully_shard(model, mesh=mesh, mp_policy=policy, reshard_after_forward=reshard)
    return model


def full_state(model: nn.Module) -> dict[str, Tensor]:
    """The whole state of a model that `fsdp2` sharded, on every rank: plain tensors, no DTensors.

    It has the names and shapes of the model before it was sharded, parameters and buffers. The tensors have memory of
    their own. All ranks have to call it.
    """
    state = model.state_dict()
    return {
        name: (value.full_tensor() if isinstance(value, DTensor) else value).detach().clone()
        for name, value in state.items()
    }


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
    found: dict[str, list[int]] = {}
    for rank, stack in enumerate(stacks):
        frame = re.search(rf'File "(?:[^"]*/)?{re.escape(file)}", (line \d+ in .+)', stack)
        found.setdefault(frame[1] if frame else "elsewhere", []).append(rank)
    return found


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
    parts = ("name", "dtype", "shape")
    for index, row in enumerate(itertools.zip_longest(*calls)):
        made = [call and [call[part] for part in parts] for call in row]
        if odd := _odd(made):
            different = (part for part in parts if _odd([call[part] for call in row]))
            return index, "ended" if None in row else next(different), odd
    return None


def _odd(values: Sequence[Any]) -> list[int]:
    """The ranks whose value is not that of most; `max` gives the first of equally frequent ones."""
    usual = max(values, key=values.count)
    return [rank for rank, value in enumerate(values) if value != usual]


def odd_ranks(tensor: Tensor) -> list[int]:
    """The ranks whose `tensor` has another shape or dtype than that of most ranks; the same list on every rank.

    Ask before a collective call, which would abort or wait for ever. The list ascends, and is empty if all ranks agree.
    Of kinds that equally many ranks have, the lowest rank's is taken for right. Values and layout in memory play no
    part; the number of dimensions does: (0,) is neither () nor (0, 0). The tensor stays as it is and is not sent: only
    its kind is. All ranks have to call this.
    """
    return _odd(_from_all_ranks((str(tensor.dtype), tuple(tensor.shape))))


def _from_all_ranks(value: Any) -> list[Any]:
    values = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


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
    ranks = _from_all_ranks({name: _digest(value) for name, value in model.state_dict().items()})
    found = {name: _odd([rank[name] for rank in ranks]) for name in ranks[0]}
    return {name: odd for name, odd in found.items() if odd}


def _digest(tensor: Tensor) -> bytes:
    raw = tensor.detach().cpu().reshape(-1).view(torch.uint8)  # NumPy has no bfloat16, and what is 0-d has no view
    return hashlib.sha256(raw.numpy().tobytes()).digest()


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
    after_forward: set[nn.Module] = set()

    def look(unit: nn.Module, args: tuple, output: Any) -> None:
        if _is_whole(unit):
            after_forward.add(unit)

    hooks = [unit.register_forward_hook(look) for unit in units.values()]
    try:
        step()
    finally:
        for hook in hooks:
            hook.remove()
    names = {(True, False): "after forward", (False, True): "after backward", (True, True): "never"}
    found = {name: names.get((unit in after_forward, _is_whole(unit))) for name, unit in units.items()}
    return {name: when for name, when in found.items() if when is not None}


def _is_whole(unit: nn.Module) -> bool:
    return any(parameter.untyped_storage().nbytes() for parameter in unit.parameters())


if __name__ == "__main__":
    from labkit.labs.sharded.commands import main

    main(sys.modules[__name__])
