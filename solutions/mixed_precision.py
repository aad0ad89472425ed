"""Lab 04: mixed precision training, from one autocast forward pass to a trainer on many processes.

The master weights stay float32, the arithmetic runs in float16 or bfloat16, and a loss scale keeps small float16
gradients from vanishing. Read `docs/05_mixed_precision.md` beside it; run `make test-lab04` after every change.
"""

import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # finds labkit when it is not installed

from labkit.toolbox.datasets import SimpleDataset
from labkit.toolbox.measure import check_amp_available
from labkit.toolbox.models import SimpleModel

__all__ = [
    "MixedPrecisionTrainer",
    "SimpleDataset",
    "SimpleModel",
    "check_amp_available",
    "create_grad_scaler",
    "fp32_cross_entropy",
    "fp32_layer_norm",
    "fp32_softmax",
    "mixed_precision_forward",
    "scaled_backward",
    "wrap_ddp",
    "wrap_fsdp",
]


# Step 1: autocast


def mixed_precision_forward(model: nn.Module, inputs: Tensor, dtype: torch.dtype = torch.float16) -> Tensor:
    """The output of `model` on `inputs`, computed under autocast in `dtype`.

    Autocast picks the dtype operation by operation, on the device type of `inputs`; float32 runs plainly, also where
    the caller has opened a region. The parameters, the training mode and the autocast state are left as they were, and
    gradients flow to the parameters, in train and in eval mode.

    Args:
        model: any module, with float32 parameters.
        inputs: batch on the model's device; integers (token ids) stay integers.
        dtype: torch.float16, torch.bfloat16 or torch.float32.

    Raises:
        ValueError: any other dtype; the message names the three.

    Source: https://docs.pytorch.org/docs/stable/amp.html#autocasting
    """
    with _autocast(inputs.device.type, dtype):
        return model(inputs)


def _autocast(device_type: str, dtype: torch.dtype) -> torch.autocast:
    """The autocast region for `dtype`; for float32 a region that is switched off, whatever region is around it."""
    _check_dtype(dtype)
    return torch.autocast(device_type, dtype=dtype, enabled=dtype != torch.float32)


def _check_dtype(dtype: torch.dtype) -> None:
    if dtype not in (torch.float16, torch.bfloat16, torch.float32):
        raise ValueError(f"dtype must be torch.float16, torch.bfloat16 or torch.float32, not {dtype}")


# Step 2: loss scaling


def create_grad_scaler(
    init_scale: float = 65536.0,
    growth_factor: float = 2.0,
    backoff_factor: float = 0.5,
    growth_interval: int = 2000,
    enabled: bool = True,
    device: str | None = None,
) -> GradScaler:
    """A `torch.amp.GradScaler` with these settings.

    Args:
        init_scale: the first loss scale.
        growth_factor: multiplies the scale after `growth_interval` steps in a row without inf or nan.
        backoff_factor: multiplies the scale after a step whose gradients held inf or nan.
        growth_interval: in steps.
        enabled: False gives a scaler that passes everything through.
        device: "cuda" or "cpu"; None takes cuda where there is one, else cpu.

    Source: https://docs.pytorch.org/docs/stable/amp.html#gradient-scaling
    """
    return GradScaler(
        device=device or ("cuda" if torch.cuda.is_available() else "cpu"),
        init_scale=init_scale,
        growth_factor=growth_factor,
        backoff_factor=backoff_factor,
        growth_interval=growth_interval,
        enabled=enabled,
    )


def scaled_backward(
    loss: Tensor,
    scaler: GradScaler,
    optimizer: torch.optim.Optimizer,
    model: nn.Module,
    max_grad_norm: float | None = None,
) -> bool:
    """True if the optimizer stepped, False if the step was skipped because a gradient was inf or nan.

    Scales the loss, runs backward, unscales the gradients, clips them if asked, steps, and updates the loss scale. The
    gradients alone decide about the step, whatever the loss is: finite ones are stepped with, large or zero. A skipped
    step leaves the weights and the optimizer's state (but a fused one's) as they were, and the scale backs off, below 1
    too. A disabled scaler gives a plain backward and step, which is still skipped for an inf or nan gradient.

    No gradient is zeroed or taken away here, after a step or a skipped one. What a clip by an infinite norm makes of
    them in a skipped step is left open, and so is whether they are unscaled then.

    Args:
        loss: scalar, not scaled.
        scaler: scales the loss; unscales, steps and backs off.
        optimizer: owns the trainable parameters of `model`; it may have several groups, and may be a fused one. It may
            own frozen ones too: their old gradients are not lost, what else becomes of them is left open.
        model: parameters that are frozen or have no gradient are passed over, and None stays None. One that was frozen
            with an old gradient in it, and that the optimizer does not own, keeps it as it is, whether the step is
            taken or skipped.
        max_grad_norm: limit of the 2-norm of all true (unscaled) gradients together; a parameter that two modules
            share counts once. 0.0 is a limit too.

    Raises:
        ValueError: max_grad_norm is below 0.

    Source: https://docs.pytorch.org/docs/stable/notes/amp_examples.html#gradient-clipping
    """
    _check_limit(max_grad_norm)
    scaler.scale(loss).backward()
    with _frozen_set_aside(optimizer):
        scaler.unscale_(optimizer)
        gradients = _gradients(optimizer)
        norm = _total_norm(gradients)
        finite = math.isfinite(norm)
        if finite:
            if max_grad_norm is not None and norm > max_grad_norm:
                for gradient in gradients:
                    gradient.mul_(max_grad_norm / norm)
            scaler.step(optimizer)
    scaler.update()
    return finite


def _check_limit(max_grad_norm: float | None) -> None:
    if max_grad_norm is not None and not max_grad_norm >= 0:
        raise ValueError(f"max_grad_norm must be 0 or more, not {max_grad_norm}")


@contextmanager
def _frozen_set_aside(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Takes away what frozen parameters still hold as their gradient: an optimizer would step with it."""
    frozen = [parameter for parameter in _parameters(optimizer) if not parameter.requires_grad]
    held = [parameter.grad for parameter in frozen]
    for parameter in frozen:
        parameter.grad = None
    try:
        yield
    finally:
        for parameter, gradient in zip(frozen, held, strict=True):
            parameter.grad = gradient


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _gradients(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """The gradients that a step will use, each as a dense tensor; what is written into it is in the gradient.

    The optimizer says whose: it may own a part of the model only, or parameters of the criterion as well.
    """
    found = []
    for parameter in _parameters(optimizer):
        if parameter.grad is not None and parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()  # adds up the entries that one row got several times
            found.append(parameter.grad.values())
        elif parameter.grad is not None:
            found.append(parameter.grad)
    return found


def _total_norm(gradients: list[Tensor]) -> float:
    """The 2-norm of all gradients together, of all ranks' shards; inf or nan only if an entry is."""
    norm = _on_all_ranks(torch.nn.utils.get_total_norm(gradients)).item()
    if 1e-15 < norm < math.inf or not all(_on_all_ranks(gradient.isfinite().all()) for gradient in gradients):
        return norm
    # The entries are finite, but their squares are too large or too small for float32: divide by the largest first.
    largest = _on_all_ranks(torch.nn.utils.get_total_norm(gradients, math.inf)).item()
    if largest == 0:
        return 0.0
    return largest * _on_all_ranks(torch.nn.utils.get_total_norm([gradient / largest for gradient in gradients])).item()


def _on_all_ranks(tensor: Tensor) -> Tensor:
    """The whole of a tensor that FSDP sharded, put together by all ranks; any other as it is."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


# Step 3: the trainer


class MixedPrecisionTrainer:
    """Trains `model` with float32 master weights and arithmetic in `dtype`.

    Attributes:
        scaler: the GradScaler that the next step uses; may be assigned.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype = torch.float16, use_scaler: bool | None = None) -> None:
        """
        Args:
            model: its parameters are and stay float32: they are the master weights.
            dtype: torch.float16, torch.bfloat16 or torch.float32.
            use_scaler: True or False switch loss scaling on or off; None switches it on for float16 only.

        Raises:
            ValueError: any other dtype.
        """
        _check_dtype(dtype)
        self.model = model
        self.dtype = dtype
        self.device = next(model.parameters()).device
        enabled = dtype == torch.float16 if use_scaler is None else use_scaler
        self.scaler = create_grad_scaler(enabled=enabled, device=self.device.type)

    def train_step(
        self,
        batch: tuple[Tensor, Tensor],
        optimizer: torch.optim.Optimizer,
        criterion: nn.Module,
        max_grad_norm: float | None = None,
    ) -> tuple[float, bool]:
        """The batch's unscaled loss, and whether its step was skipped.

        Moves the batch to the model's device, sets train mode, starts from fresh gradients, computes the output under
        autocast and the loss with float32's digits (the criterion may run under autocast, or on float32 outputs), and
        makes one step of `scaled_backward`, outside of autocast.

        Args:
            batch: inputs (N, ...) and targets (N,) or (N, ...), on any device.
            optimizer: owns the model's trainable parameters.
            criterion: maps (outputs, targets) to the scalar loss.
            max_grad_norm: as in `scaled_backward`.
        """
        self.model.train()
        optimizer.zero_grad()
        loss = self._loss(batch, criterion)
        stepped = scaled_backward(loss, self.scaler, optimizer, self.model, max_grad_norm)
        return loss.item(), not stepped

    def train_epoch(
        self,
        dataloader: Iterable[tuple[Tensor, Tensor]],
        optimizer: torch.optim.Optimizer,
        criterion: nn.Module,
        max_grad_norm: float | None = None,
        sampler: torch.utils.data.Sampler | None = None,
        epoch: int = 0,
    ) -> dict[str, float | int]:
        """One pass over the data: `{"loss", "skipped_steps", "total_steps"}`.

        `loss` is the mean over samples (a short last batch counts less; under torch.distributed, over the samples of
        all ranks). Batches whose loss is inf or nan are left out of it; it is nan if all of them are. `total_steps`
        counts every batch, `skipped_steps` those that moved nothing.

        Args:
            dataloader: yields batches as `train_step` takes them, a sample a row; any iterable, a generator too.
            optimizer, criterion, max_grad_norm: as in `train_step`.
            sampler: a DistributedSampler; its `set_epoch` gets the epoch before the loader is iterated over, so that
                every epoch has another order.
            epoch: number of this epoch, from 0.

        Raises:
            ValueError: the loader is empty.
        """
        if sampler is not None:
            sampler.set_epoch(epoch)  # type: ignore[attr-defined]  # torch declares it in DistributedSampler alone
        total_loss, samples, skipped_steps, total_steps = 0.0, 0, 0, 0
        for batch in dataloader:
            loss, skipped = self.train_step(batch, optimizer, criterion, max_grad_norm)
            total_steps += 1
            skipped_steps += skipped
            if math.isfinite(loss):
                total_loss += loss * len(batch[1])
                samples += len(batch[1])
        if total_steps == 0:
            raise ValueError("the data loader is empty: there is nothing to train on")
        return {
            "loss": self._mean_over_ranks(total_loss, samples),
            "skipped_steps": skipped_steps,
            "total_steps": total_steps,
        }

    @torch.no_grad()
    def evaluate(self, dataloader: Iterable[tuple[Tensor, Tensor]], criterion: nn.Module) -> float:
        """The mean loss over samples (of all ranks), in eval mode and in the precision of training.

        The loss has float32's digits, as in `train_step`. Every batch counts, one whose loss is inf or nan too: the
        mean of a model that diverged is inf or nan. The training mode of every submodule is put back afterwards, also
        if the model or the criterion raises.

        Args:
            dataloader: yields (inputs, targets), a sample a row; any iterable, a generator too.
            criterion: maps (outputs, targets) to the mean loss of the batch.

        Raises:
            ValueError: the loader is empty.
        """
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        total_loss, samples = 0.0, 0
        try:
            for batch in dataloader:
                total_loss += self._loss(batch, criterion).item() * len(batch[1])
                samples += len(batch[1])
        finally:
            for module, mode in modes:
                module.training = mode
        if samples == 0:
            raise ValueError("the data loader is empty: there is nothing to evaluate")
        return self._mean_over_ranks(total_loss, samples)

    def get_scaler_state(self) -> dict[str, bool | float | int]:
        """What the loss scale is doing: `enabled`, `scale` and `growth_tracker` (steps since it last changed).

        Reports the scaler that `scaler` holds now, also right after it was assigned or loaded. An enabled scaler adds
        its settings `growth_factor`, `backoff_factor` and `growth_interval`; one that is off reports the scale 1.0 and
        the tracker 0.
        """
        state = self.scaler.state_dict()
        return {
            "enabled": self.scaler.is_enabled(),
            "scale": self.scaler.get_scale(),
            "growth_tracker": state.pop("_growth_tracker", 0),
            **{name: value for name, value in state.items() if name != "scale"},
        }

    def state_dict(self) -> dict[str, dict]:
        """What a resumed training needs of the trainer: the states of `model` (its buffers too) and `scaler`."""
        return {"model": self.model.state_dict(), "scaler": self.scaler.state_dict()}

    def load_state_dict(self, state: dict[str, dict]) -> None:
        """Restores what `state_dict` gave: weights, buffers, loss scale and growth tracker.

        A scaler that is off takes nothing. A state that does not fit changes nothing.

        Raises:
            ValueError: the model has other names or shapes, or its scaler is on and the state is of one that was off.
        """
        shapes = [
            {name: getattr(value, "shape", None) for name, value in model.items()}
            for model in (state["model"], self.model.state_dict())
        ]
        if shapes[0] != shapes[1]:
            different = sorted(dict(shapes[0].items() ^ shapes[1].items()))
            raise ValueError(f"the state is of another model: {', '.join(different)}")
        if not self.scaler.state_dict().keys() <= state["scaler"].keys():
            raise ValueError("the state holds no loss scale: its trainer's scaler was off, and this one's is on")
        self.model.load_state_dict(state["model"])
        self.scaler.load_state_dict(state["scaler"])

    def _loss(self, batch: tuple[Tensor, Tensor], criterion: nn.Module) -> Tensor:
        """The batch's loss, a scalar with its graph, on the model's device; with float32's digits.

        Autocast alone would not do for the loss: on CUDA, cross entropy of half outputs has half's digits.
        """
        inputs, targets = (part.to(self.device) for part in batch)
        with _autocast(self.device.type, self.dtype):  # for the criterion; the model gets a region of its own
            return criterion(mixed_precision_forward(self.model, inputs, self.dtype).float(), targets)

    def _mean_over_ranks(self, total: float, count: int) -> float:
        """`total / count`, both summed over all ranks first; nan if nothing was counted."""
        if dist.is_available() and dist.is_initialized():
            sums = torch.tensor([total, count], dtype=torch.float64, device=self.device)
            dist.all_reduce(sums)
            total, count = sums.tolist()
        return total / count if count else math.nan


# Step 4: operations that stay in float32


def fp32_layer_norm(
    x: Tensor,
    normalized_shape: int | tuple[int, ...],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Layer normalization computed in float32, also inside an autocast region; returned in x's dtype.

    Args:
        x: (..., *normalized_shape), of any floating dtype.
        normalized_shape: the trailing dimensions to normalize over; an int is the last one.
        weight, bias: of shape `normalized_shape`, used in float32.
        eps: added to the variance, inside the square root.

    Source: Ba et al. 2016 (arXiv 1607.06450), equation 3; `torch.nn.functional.layer_norm`.
    """
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    with torch.autocast(x.device.type, enabled=False):
        weight = None if weight is None else weight.float()
        bias = None if bias is None else bias.float()
        return F.layer_norm(x.float(), shape, weight, bias, eps).to(x.dtype)


def fp32_softmax(x: Tensor, dim: int = -1) -> Tensor:
    """Softmax along `dim` computed in float32, also inside an autocast region; returned in x's dtype.

    Args:
        x: logits of any shape and floating dtype.
        dim: the dimension whose entries sum to one.

    Source: `torch.nn.functional.softmax`, which subtracts the largest logit before it exponentiates.
    """
    with torch.autocast(x.device.type, enabled=False):
        return F.softmax(x, dim=dim, dtype=torch.float32).to(x.dtype)


def fp32_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean") -> Tensor:
    """Cross entropy computed and returned in float32, also inside an autocast region.

    Args:
        input: logits (N, C) of any floating dtype.
        target: class indices (N,), int64.
        weight: (C,) weights of the classes, of any sum, used in float32.
        reduction: "mean" (the sum divided by the weights of the targets' classes), "sum" (both give a scalar) or
            "none" (N,).

    Source: `torch.nn.functional.cross_entropy`.
    """
    with torch.autocast(input.device.type, enabled=False):
        weight = None if weight is None else weight.float()
        return F.cross_entropy(input.float(), target, weight=weight, reduction=reduction)


# Step 5: many processes


def wrap_ddp(model: nn.Module) -> DistributedDataParallel:
    """`model` for data parallel training: every rank holds all of it, backward averages the gradients of all ranks.

    All ranks start from rank 0's weights, frozen ones too, and from its buffers, also those that are not persistent. An
    inf or nan on one rank reaches every rank through the average, before the gradients are unscaled: all skip alike.

    Args:
        model: float32 parameters, on this rank's device; torch.distributed is initialized.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html
    """
    device = next(model.parameters()).device
    return DistributedDataParallel(model, device_ids=[device.index] if device.type == "cuda" else None)


def wrap_fsdp(model: nn.Module, dtype: torch.dtype = torch.float16) -> nn.Module:
    """`model` sharded by FSDP2: every rank holds a part of each float32 parameter, of its gradient and its state.

    What is gathered is computed in `dtype`, and its gradients are averaged in float32. This goes for every layer that
    has parameters (layer norms and embeddings too; batch norms are left open, since their statistics are float32), and
    for parameters that belong to the model itself. Each layer is sharded as a group of its own, then the model with the
    rest: a layer is gathered just before it computes and freed right after it. `fully_shard(model)` alone is allowed
    too: it gives the same numbers, but holds the whole model gathered from the first layer to the last.

    Args:
        model: float32 parameters, on this rank's device, equal on all ranks; torch.distributed is initialized.
        dtype: torch.float16, torch.bfloat16 or torch.float32.

    Source: https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html
    """
    mesh = init_device_mesh(next(model.parameters()).device.type, (dist.get_world_size(),))
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    norms = _batch_norms(model)
    if norms:  # they keep their statistics in float32, and want weights of the same dtype
        fully_shard(norms, mesh=mesh)
    uses = _uses(model)
    for layer in _layers(model):
        own = _uses(layer)
        shares = any(uses[parameter] != count for parameter, count in own.items())
        if own and not shares and layer not in norms:
            fully_shard(layer, mesh=mesh, mp_policy=policy)  # what is shared stays in the model's own group
    return fully_shard(model, mesh=mesh, mp_policy=policy)  # type: ignore[return-value]  # torch hides that it is model


def _batch_norms(model: nn.Module) -> list[nn.Module]:
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    return [module for module in model.modules() if isinstance(module, kinds) and module.affine]


def _layers(module: nn.Module) -> Iterator[nn.Module]:
    """The children that are called; of a container that is not (a ModuleList, a ModuleDict), those in it."""
    for child in module.children():
        if type(child).forward is nn.Module.forward:
            yield from _layers(child)
        else:
            yield child


def _uses(module: nn.Module) -> Counter[nn.Parameter]:
    """How often each parameter occurs in `module` and the modules in it."""
    return Counter(parameter for _, parameter in module.named_parameters(remove_duplicate=False))


if __name__ == "__main__":
    from labkit.labs.mixed_precision.commands import main

    main(sys.modules[__name__])
