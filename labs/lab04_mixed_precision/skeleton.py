"""Lab 04: mixed precision training, from one autocast forward pass to a trainer on many processes.

The master weights stay float32, the arithmetic runs in float16 or bfloat16, and a loss scale keeps small float16
gradients from vanishing. Read `docs/05_mixed_precision.md` beside it; run `make test-lab04` after every change.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
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
    # TODO: run the model under torch.autocast in `dtype`, on the device type of `inputs`
    raise NotImplementedError("Step 1: mixed_precision_forward")


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
    # TODO: build a torch.amp.GradScaler by keyword arguments; choose the device if none is given
    raise NotImplementedError("Step 2: create_grad_scaler")


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
    # TODO: scale, backward, unscale, clip if asked, step unless a gradient is inf or nan, update
    raise NotImplementedError("Step 2: scaled_backward")


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
        # TODO: keep model and dtype, refuse other dtypes, create the scaler (on for float16 unless told otherwise)
        raise NotImplementedError("Step 3: MixedPrecisionTrainer.__init__")

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
        # TODO: move the batch, train mode, fresh gradients, loss under autocast, scaled_backward
        raise NotImplementedError("Step 3: MixedPrecisionTrainer.train_step")

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
        # TODO: one train_step a batch; mean loss over samples; count skipped and all steps
        raise NotImplementedError("Step 3: MixedPrecisionTrainer.train_epoch")

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
        # TODO: mean loss over samples in eval mode, without gradients, in the same precision
        raise NotImplementedError("Step 3: MixedPrecisionTrainer.evaluate")

    def get_scaler_state(self) -> dict[str, bool | float | int]:
        """What the loss scale is doing: `enabled`, `scale` and `growth_tracker` (steps since it last changed).

        Reports the scaler that `scaler` holds now, also right after it was assigned or loaded. An enabled scaler adds
        its settings `growth_factor`, `backoff_factor` and `growth_interval`; one that is off reports the scale 1.0 and
        the tracker 0.
        """
        # TODO: report enabled, scale, growth_tracker and the settings
        raise NotImplementedError("Step 3: MixedPrecisionTrainer.get_scaler_state")

    def state_dict(self) -> dict[str, dict]:
        """What a resumed training needs of the trainer: the states of `model` (its buffers too) and `scaler`."""
        # TODO: the states of model and scaler
        raise NotImplementedError("Step 3: MixedPrecisionTrainer.state_dict")

    def load_state_dict(self, state: dict[str, dict]) -> None:
        """Restores what `state_dict` gave: weights, buffers, loss scale and growth tracker.

        A scaler that is off takes nothing. A state that does not fit changes nothing.

        Raises:
            ValueError: the model has other names or shapes, or its scaler is on and the state is of one that was off.
        """
        # TODO: restore both
        raise NotImplementedError("Step 3: MixedPrecisionTrainer.load_state_dict")


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
    # TODO: layer norm of x.float() outside autocast; back to x's dtype
    raise NotImplementedError("Step 4: fp32_layer_norm")


def fp32_softmax(x: Tensor, dim: int = -1) -> Tensor:
    """Softmax along `dim` computed in float32, also inside an autocast region; returned in x's dtype.

    Args:
        x: logits of any shape and floating dtype.
        dim: the dimension whose entries sum to one.

    Source: `torch.nn.functional.softmax`, which subtracts the largest logit before it exponentiates.
    """
    # TODO: softmax of x.float() outside autocast; back to x's dtype
    raise NotImplementedError("Step 4: fp32_softmax")


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
    # TODO: cross entropy of input.float() outside autocast; stays float32
    raise NotImplementedError("Step 4: fp32_cross_entropy")


# Step 5: many processes


def wrap_ddp(model: nn.Module) -> DistributedDataParallel:
    """`model` for data parallel training: every rank holds all of it, backward averages the gradients of all ranks.

    All ranks start from rank 0's weights, frozen ones too, and from its buffers, also those that are not persistent. An
    inf or nan on one rank reaches every rank through the average, before the gradients are unscaled: all skip alike.

    Args:
        model: float32 parameters, on this rank's device; torch.distributed is initialized.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html
    """
    # TODO: DistributedDataParallel around the model; device_ids on a GPU
    raise NotImplementedError("Step 5: wrap_ddp")


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
    # TODO: fully_shard each layer and the model: compute in `dtype`, reduce gradients in float32
    raise NotImplementedError("Step 5: wrap_fsdp")


if __name__ == "__main__":
    from labkit.labs.mixed_precision.commands import main

    main(sys.modules[__name__])
