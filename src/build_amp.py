"""Lab 06: build AMP yourself, part by part: what torch.amp does, and what has to be done around it.

Loss scalers, float32 master weights, an autocast of your own, gradient accumulation, batch norm and a monitor. Nothing
here imports torch.amp. Read `docs/06_build_amp.md` beside it; run `make test-lab06` after every change.
"""

import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.overrides import TorchFunctionMode

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # finds labkit when it is not installed

__all__ = [
    "FP32",
    "LOWER",
    "PROMOTE",
    "Autocast",
    "DynamicLossScaler",
    "MasterWeights",
    "MixedBatchNorm2d",
    "Monitor",
    "StaticLossScaler",
    "accumulate",
    "classify",
    "first_nonfinite",
    "global_norm",
]


# Step 1: loss scalers


class StaticLossScaler:
    """Multiplies the loss by a fixed scale, and divides the gradients by it before the optimizer uses them.

    An iteration goes: `scale(loss).backward()`, `step(optimizer)`, `update()`. To clip the true gradients, call
    `unscale_(optimizer)` before the step. One scaler serves several optimizers.
    """

    def __init__(self, scale: float = 2.0**10) -> None:
        """A scaler with this scale.

        Raises:
            ValueError: the scale is not a positive finite number.
        """
        # TODO: check the scale; remember for each optimizer what its gradients were like
        raise NotImplementedError("Step 1: StaticLossScaler.__init__")

    def scale(self, loss: Tensor) -> Tensor:
        """The float32 product of `loss` (a float16, bfloat16 or float32 scalar) and the scale; gradients flow.

        `loss` itself stays as it is, to be reported.
        """
        # TODO: the float32 product of loss and scale
        raise NotImplementedError("Step 1: StaticLossScaler.scale")

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divides the float32 gradients of the optimizer's parameters, of all its groups, by the scale, in place.

        Whether all of them are finite is found out for this optimizer alone, and kept until `update`. Each entry is
        looked at: finite entries with an infinite sum or norm are finite. The answer stays on the device: nothing is
        copied to the host. A parameter without a gradient, or without elements, is passed over.

        A scale below 1 can make a finite gradient inf; whether that is an overflow is left open.

        Raises:
            RuntimeError: this optimizer was unscaled or stepped already since the last `update`, with gradients or
                without; nothing has changed.
        """
        # TODO: divide the optimizer's gradients by the scale once; keep on the device whether all are finite
        raise NotImplementedError("Step 1: StaticLossScaler.unscale_")

    def step(self, optimizer: Optimizer) -> bool:
        """Steps the optimizer unless one of its gradients is inf or nan; says whether it did.

        Unscales the gradients first, unless `unscale_` has done it since the last `update`. An overflow that `unscale_`
        found skips the step, even if the caller has changed the gradients since. An optimizer without any gradient has
        no overflow.

        Raises:
            RuntimeError: this optimizer was stepped already since the last `update`; nothing has changed.
        """
        # TODO: unscale if nobody has; step unless a gradient is inf or nan; say which
        raise NotImplementedError("Step 1: StaticLossScaler.step")

    def update(self) -> None:
        """Ends the iteration: what was found of the gradients is forgotten. The scale stays."""
        # TODO: forget what was found; the scale stays
        raise NotImplementedError("Step 1: StaticLossScaler.update")

    def get_scale(self) -> float:
        """The scale, as a number."""
        # TODO: the scale as a number
        raise NotImplementedError("Step 1: StaticLossScaler.get_scale")

    def state_dict(self) -> dict[str, float | int]:
        """The numbers that `load_state_dict` needs to go on from here, even in a scaler made with another scale.

        They are a copy: what the scaler does later leaves them as they are.
        """
        # TODO: the scale
        raise NotImplementedError("Step 1: StaticLossScaler.state_dict")

    def load_state_dict(self, state: Mapping[str, float | int]) -> None:
        """Goes on from `state`.

        Raises:
            ValueError: the state is not that of a scaler of this class, or its scale is not a positive finite number;
                nothing has changed.
        """
        # TODO: refuse a state of another kind; restore the scale
        raise NotImplementedError("Step 1: StaticLossScaler.load_state_dict")


class DynamicLossScaler(StaticLossScaler):
    """A loss scaler that finds its scale: down after an overflow, up after many steps without one.

    An overflow is an iteration in which a gradient of any of the unscaled or stepped optimizers is inf or nan; it
    counts once, however many they are. The other methods do what those of `StaticLossScaler` do, with the current
    scale.
    """

    def __init__(
        self,
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        hysteresis: int = 1,
        min_scale: float | None = None,
    ) -> None:
        """A scaler with these settings.

        Args:
            init_scale: the first scale.
            growth_factor: multiplies the scale after `growth_interval` iterations in a row without an overflow.
            backoff_factor: multiplies the scale after an overflow.
            growth_interval: in iterations.
            hysteresis: how many overflows it takes to lower the scale for the first time; see `update`.
            min_scale: the scale never falls below this; None is the smallest normal float32, 2**-126.

        Raises:
            ValueError: init_scale or min_scale is not a positive finite number; growth_factor is not a finite number
                above 1; backoff_factor is not above 0 and below 1; growth_interval or hysteresis is below 1.
        """
        # TODO: check the settings; no good iteration so far, all of the hysteresis left
        raise NotImplementedError("Step 1: DynamicLossScaler.__init__")

    def update(self) -> None:
        """Ends the iteration: adapts the scale, then forgets what was found of the gradients.

        Without an overflow, also if no optimizer was unscaled or stepped, the growth tracker counts one up. When it
        reaches `growth_interval`, it is set to 0, the hysteresis is refilled, and the scale is multiplied by
        `growth_factor`; a scale that float32 cannot hold is not taken, the old one stays.

        An overflow sets the growth tracker to 0 and takes one from the hysteresis. If none is left, this and every
        further overflow multiplies the scale by `backoff_factor`, down to `min_scale`. Only growth refills the
        hysteresis: neither a good iteration nor a backoff does.

        Source: https://github.com/NVIDIA/Megatron-LM/blob/main/megatron/core/optimizer/grad_scaler.py
        """
        # TODO: grow after enough good iterations in a row, back off after an overflow; then forget what was found
        raise NotImplementedError("Step 1: DynamicLossScaler.update")

    def state_dict(self) -> dict[str, float | int]:
        """The numbers that `load_state_dict` of a scaler with the same settings needs to go on as if never stopped.

        They are a copy: what the scaler does later leaves them as they are.
        """
        # TODO: everything that update changes
        raise NotImplementedError("Step 1: DynamicLossScaler.state_dict")

    def load_state_dict(self, state: Mapping[str, float | int]) -> None:
        """Goes on from `state`.

        Raises:
            ValueError: the state is not that of a scaler of this class, or its scale is not a positive finite number;
                nothing has changed.
        """
        # TODO: refuse a state of another kind; restore everything
        raise NotImplementedError("Step 1: DynamicLossScaler.load_state_dict")


# Step 2: master weights


class MasterWeights:
    """float32 copies of a 16-bit model's weights: the optimizer steps the copies, the model gets them rounded.

    An iteration goes: `zero_grad()`, then backward of the loss times a scale, then `step(scale)`.

    Source: https://arxiv.org/abs/1710.03740, section 3.1
    """

    def __init__(self, model: nn.Module, make_optimizer: Callable[[list[nn.Parameter]], Optimizer]) -> None:
        """Masters of the model's parameters, and an optimizer over them.

        Args:
            model: all of its parameters are float16, or all are bfloat16. A parameter that has several names (tied
                weights) has one master.
            make_optimizer: called once, with the list of masters (float32, as many and in the order of
                `model.parameters()`), gives the optimizer that steps them.

        Raises:
            ValueError: the model has no parameters, or they are not all float16 or all bfloat16.
        """
        # TODO: check the model's dtypes; a float32 copy of each parameter, and an optimizer over the copies
        raise NotImplementedError("Step 2: MasterWeights.__init__")

    def step(self, scale: float = 1.0, max_grad_norm: float | None = None) -> bool:
        """Steps the masters with the model's gradients and rounds them into the model; says whether it did.

        A gradient goes to float32 first and is divided by `scale` there. If any is inf or nan then, nothing is stepped:
        masters, model and optimizer state are unchanged, and the answer is False. A parameter without a gradient is
        not stepped, whatever gradient it had before. The model's parameters stay the same objects, in the same memory.

        Args:
            scale: what the loss was multiplied by before backward.
            max_grad_norm: if given (0.0 too), the true gradients are scaled down to this global 2-norm, measured in
                float32 over all of them together; a smaller norm is left alone.

        Raises:
            ValueError: the scale is not a positive finite number; nothing has changed.
        """
        # TODO: gradients to float32, divide, check, clip, step the masters, round them into the model
        raise NotImplementedError("Step 2: MasterWeights.step")

    def zero_grad(self) -> None:
        """Removes the gradients of the model, also after a step that was not made."""
        # TODO: remove the model's gradients
        raise NotImplementedError("Step 2: MasterWeights.zero_grad")

    def state_dict(self) -> dict[str, Any]:
        """The masters in float32 and the optimizer's state: what the rounded model does not hold."""
        # TODO: the masters and the optimizer's state
        raise NotImplementedError("Step 2: MasterWeights.state_dict")

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from `state`: masters, optimizer, and the model's weights rounded from the masters.

        Raises:
            ValueError: the state is of another kind, of a model with other shapes, or of an optimizer with other
                parameter groups; nothing has changed.
        """
        # TODO: refuse another kind of state; restore masters, optimizer and model
        raise NotImplementedError("Step 2: MasterWeights.load_state_dict")


# Step 3: autocast

# What PyTorch's functions are called, as `func.__name__` says it. These are parts of the lists of torch.autocast on a
# CPU: https://docs.pytorch.org/docs/stable/amp.html#autocast-op-reference
LOWER = frozenset(
    {"linear", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm", "addbmm", "baddbmm", "einsum", "prelu"}
    | {f"conv{transposed}{n}d" for transposed in ("", "_transpose") for n in (1, 2, 3)}
    | {"scaled_dot_product_attention"}
)
FP32 = frozenset(
    {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "cross_entropy", "nll_loss", "kl_div"}
    | {"binary_cross_entropy", "binary_cross_entropy_with_logits"}
)
PROMOTE = frozenset({"cat", "stack", "index_copy"})


class _Thread(threading.local):
    """What the regions that this thread has open share."""

    def __init__(self) -> None:
        self.regions: list[Autocast] = []
        self.casts: dict[tuple[int, torch.dtype, bool], tuple[Tensor, int, Tensor]] = {}


_thread = _Thread()


class Autocast(TorchFunctionMode):
    """`with Autocast(torch.bfloat16):` runs each of PyTorch's functions in the dtype that suits it.

    - A function of `LOWER` gets its float16, bfloat16 and float32 tensors in `dtype`.
    - A function of `FP32` gets its float16 and bfloat16 tensors in float32.
    - A function of `PROMOTE` gets its floating point tensors in the dtype that all of them promote to: the widest, or
      float32 for float16 beside bfloat16. Tensors without dimensions count too.
    - All other functions, calls with `out=`, and all other tensors (float64, integers, bools) pass as they are.

    Tensors in keyword arguments and in lists and tuples are cast too. Gradients flow through the casts, so that a
    float32 parameter gets a float32 gradient. Parameters, inputs and lists of the caller stay as they are.

    A leaf tensor that requires a gradient (a weight) is cast to `dtype` once until the outermost region ends, however
    often it is used, unless an in-place operation changes it in between, as an optimizer's step does. A cast that was
    made while gradients were off is not used in a pass that needs gradients. Casts of other tensors are not kept, and
    nothing is once the outermost region has ended.

    Regions nest: the innermost decides, even if it is disabled; when it ends, the one around it decides again. A region
    ends with its `with`, also by an exception, which passes through. A function that fails in a region does not end it.
    """

    def __init__(self, dtype: torch.dtype, enabled: bool = True) -> None:
        """A region in `dtype`, torch.float16 or torch.bfloat16; if not `enabled`, functions run as they are in it."""
        # TODO: keep the dtype and whether the region is on
        raise NotImplementedError("Step 3: Autocast.__init__")

    def __enter__(self) -> "Autocast":
        """Opens the region."""
        # TODO: open the region: from here on it is the innermost one
        raise NotImplementedError("Step 3: Autocast.__enter__")

    def __exit__(self, *error: object) -> None:
        """Ends the region."""
        # TODO: end the region; forget the casts once the outermost has ended
        raise NotImplementedError("Step 3: Autocast.__exit__")

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> object:
        """Calls `func`, one of PyTorch's functions, with its tensors cast. The mode is off while this runs."""
        # TODO: cast the tensors as the lists say, if this region is the innermost; call the function
        raise NotImplementedError("Step 3: Autocast.__torch_function__")


# Step 4: accumulation, batch norm


def accumulate(
    model: nn.Module,
    batches: Sequence[tuple[Tensor, Tensor]],
    window: int,
    optimizer: Optimizer,
    scaler: StaticLossScaler,
    criterion: Callable[[Tensor, Tensor], Tensor],
    max_grad_norm: float | None = None,
) -> dict[str, float | int]:
    """Trains on `batches`, in order, with one optimizer step for each `window` of them; the last may be shorter.

    A step is the one that the samples of its window would give as a single batch: the gradient is that of the mean
    loss over all samples of the window. Before that the model and all of its modules are put into train mode, also
    those that alone are in eval mode. The model runs once for each batch; what goes backward is the loss multiplied by
    the scale.

    A window begins without older gradients (None or zero), and has one scale: the scaler is updated once, when the
    window ends, also if its step was skipped because a gradient is inf or nan.

    Args:
        model: on the device of the batches, with float32 parameters.
        batches: inputs (n, ...) and targets (n, ...) each, of n samples; n, and the sizes after it (the length of
            sentences), may differ from batch to batch.
        window: how many batches make a step.
        optimizer: over the model's parameters, or over some of them: the gradients of the others do not count.
        scaler: one of step 1.
        criterion: gives the mean loss over the samples of a batch.
        max_grad_norm: if given (0.0 too), the true gradients of the whole window are scaled down to this global
            2-norm once, before the step: that of all parameter groups together.

    Returns:
        steps: optimizer steps made; skipped: windows that were skipped; loss: mean over all samples of the unscaled
        loss, those of skipped windows too.

    Raises:
        ValueError: window is below 1, or there are no batches; nothing has changed.
    """
    # TODO: for each window: fresh gradients, a weighted scaled backward per batch, then clip, step and update once
    raise NotImplementedError("Step 4: accumulate")


class MixedBatchNorm2d(nn.Module):
    """Batch norm over (N, C, H, W) of any floating point dtype, with float32 statistics and parameters.

    They have the names that `nn.BatchNorm2d` gives them: the parameters `weight` (ones) and `bias` (zeros), and the
    buffers `running_mean` (zeros) and `running_var` (ones), all of shape (C,), all in the state dict.

    Source: https://arxiv.org/abs/1502.03167, algorithm 1
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        """Batch norm of `num_features` channels.

        Args:
            num_features: C.
            eps: added to the variance before the root.
            momentum: the share that a batch has in the running statistics, from 0 to 1.
        """
        # TODO: float32 weight, bias, running mean and running variance
        raise NotImplementedError("Step 4: MixedBatchNorm2d.__init__")

    def forward(self, x: Tensor) -> Tensor:
        """`x` normalized channel by channel, times `weight`, plus `bias`; computed in float32, in the dtype of `x`.

        In train mode with the mean and the biased variance of the batch, and the running statistics move towards the
        mean and the unbiased variance by `momentum`; in eval mode with the running statistics, which stay.

        The variance is that of the deviations from the mean: a mean 1000 times as large as they are does no harm to it.
        Gradients flow to `x`, also through the mean and the variance of the batch, and to `weight` and `bias`; the
        running statistics keep no graph.
        """
        # TODO: normalize in float32, move the running statistics in train mode, give the dtype of x
        raise NotImplementedError("Step 4: MixedBatchNorm2d.forward")


# Step 5: watch it


def classify(
    gradients: Mapping[str, Tensor | None], dtype: torch.dtype, scale: float = 1.0, limit: float = 0.5
) -> dict[str, str]:
    """What is the matter with each gradient, by its name; they stay as they are. The first that applies:

    - "none": there is no gradient
    - "nan": an entry is nan
    - "inf": an entry is inf or -inf
    - "zero": all entries are zero
    - "underflow": of the entries that are not zero, a share above `limit` would be zero in `dtype` after
      multiplication by `scale`
    - "ok"

    Args:
        gradients: true gradients, float32.
        dtype: the format that the backward pass would run in.
        scale: the loss scale that it would run with.
        limit: from 0 to 1.
    """
    # TODO: name what is the matter with each gradient: none, nan, inf, zero, underflow or ok
    raise NotImplementedError("Step 5: classify")


def first_nonfinite(model: nn.Module, inputs: Tensor, dtype: torch.dtype) -> str | None:
    """The dotted name of the first module whose output holds inf or nan when `model(inputs)` runs under `Autocast`.

    Only modules without children count, in the order in which they run, not the order in which they are registered;
    each run of a module that runs several times counts. None if all outputs are finite; "" if it is the model itself,
    which has no children then. An output may be a tensor of floats, integers or bools, or a tuple, list or dict of
    them.

    An output counts as it is when its module has run: a later layer may change it in place. The model runs once,
    without gradients, in the mode that it is in. What it raises passes through. Removes its own hooks, also after an
    exception, and leaves all others.

    Args:
        model: with float32 parameters.
        inputs: what the model is called with.
        dtype: torch.float16 or torch.bfloat16, for `Autocast`; torch.float32 runs without it.
    """
    # TODO: hook the leaves, run the model once under Autocast, remove the hooks, name the first
    raise NotImplementedError("Step 5: first_nonfinite")


def global_norm(gradients: Iterable[Tensor | None], scale: float = 1.0) -> float:
    """The 2-norm of all entries of `gradients` together, divided by `scale`; inf or nan if an entry is.

    None is passed over; the norm of no gradients is 0.0. Computed in float32 or wider, so that the squares of half
    entries neither overflow nor underflow. The gradients stay as they are.

    Args:
        gradients: of any floating point dtype, still multiplied by `scale`.
        scale: the loss scale.
    """
    # TODO: the 2-norm of all entries together, in float32 or wider, divided by the scale
    raise NotImplementedError("Step 5: global_norm")


class Monitor:
    """Keeps what each training step did, and sums it up."""

    def __init__(self) -> None:
        """A monitor that has seen no step."""
        # TODO: no step so far
        raise NotImplementedError("Step 5: Monitor.__init__")

    def record(self, samples: int, seconds: float, norm: float, peak_bytes: int = 0) -> None:
        """Adds a step.

        Args:
            samples: how many it trained on.
            seconds: how long it took.
            norm: its true global gradient norm; inf or nan if it overflowed.
            peak_bytes: the most memory that was in use during it; `labkit.toolbox.measure.step_memory` measures it.
        """
        # TODO: add a step
        raise NotImplementedError("Step 5: Monitor.record")

    def summary(self) -> dict[str, float | int]:
        """Of all steps so far.

        Returns:
            steps: how many; throughput: all samples over all seconds, in samples per second; norm: the mean of the
            finite norms, nan if there are none; overflows: how many norms were inf or nan; peak_bytes: the highest.

        Raises:
            ValueError: no step was recorded.
        """
        # TODO: steps, throughput, mean norm, overflows, peak memory
        raise NotImplementedError("Step 5: Monitor.summary")


if __name__ == "__main__":
    from labkit.labs.build_amp.commands import main

    main(sys.modules[__name__])
