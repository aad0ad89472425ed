"""The reference solution against float64 and plain simulations, on anything in the graded domain."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from page_checks import ROOT
from torch import Tensor, nn

from labkit.course.loading import load_implementation
from labkit.judge.expect import Tolerance, expect
from references.mixed_precision import follow, layer_norm64, scales_after
from scenarios.mixed_precision.step_2 import given_loss

lab = load_implementation(ROOT / "solutions" / "mixed_precision.py")

INF, NAN = math.inf, math.nan
HALVES = (torch.float16, torch.bfloat16)
FORMATS = (*HALVES, torch.float32)
FEW_ROUNDINGS = Tolerance("float32 inside, one rounding to the format at the end", rtol=2e-5, ulps=1.01)
WHY = "the property holds for every input"

some = settings(deadline=None, derandomize=True, max_examples=80, database=None)
regions = st.sampled_from((None, *HALVES))


def autocast(region: torch.dtype | None) -> torch.autocast:
    return torch.autocast("cpu", dtype=region or torch.bfloat16, enabled=region is not None)


@st.composite
def tensors(draw: st.DrawFn, dims: tuple[int, int] = (1, 3), largest: float = 3e4) -> Tensor:
    """Any shape without zeros in it, in any format; tiny, subnormal, zero, equal and large entries among the others."""
    dtype = draw(st.sampled_from(FORMATS))
    shape = draw(st.lists(st.integers(1, 5), min_size=dims[0], max_size=dims[1]))
    special = [0.0, -0.0, 1.0, largest, -largest, torch.finfo(dtype).smallest_normal / 4, torch.finfo(dtype).tiny]
    number = st.sampled_from(special) | st.floats(-20, 20)
    size = math.prod(shape)
    return torch.tensor(draw(st.lists(number, min_size=size, max_size=size)), dtype=torch.float64).to(dtype).view(shape)


def cotangent_of(x: Tensor) -> Tensor:
    return torch.linspace(-1, 2, x.numel(), dtype=torch.float64).view(x.shape)


def expect_gradient(x: Tensor, reference: Tensor, cotangent: Tensor, leaf: Tensor, output: Tensor, atol: float) -> None:
    """The gradient of `leaf` through `output` is that of the float64 `x` through `reference`."""
    (expected,) = torch.autograd.grad(reference, x, cotangent)
    (gradient,) = torch.autograd.grad(output, leaf, cotangent.to(output.dtype))
    eps = torch.finfo(leaf.dtype).eps
    rounded = Tolerance("the cotangent and the gradient are rounded to the format", rtol=4 * eps, atol=atol + 4 * eps)
    expect(gradient, "gradient").close_to(expected, rounded, WHY, dtype=leaf.dtype)


# Operations in float32 --------------------------------------------------------------------------------------------


@some
@given(x=tensors(), place=st.integers(0, 10), negative=st.booleans(), region=regions)
def test_softmax(x: Tensor, place: int, negative: bool, region: torch.dtype | None) -> None:
    dim = place % x.ndim - (x.ndim if negative else 0)
    leaf, exact = x.clone().requires_grad_(), x.double().requires_grad_()
    with autocast(region):
        seen = lab.fp32_softmax(leaf, dim=dim)
    expected = torch.softmax(exact, dim=dim)
    tiny = Tolerance(FEW_ROUNDINGS.because, rtol=2e-5, atol=2.0**-126, ulps=1.01)  # exp underflows to zero in float32
    expect(seen.detach(), "softmax").close_to(expected.detach(), tiny, WHY, dtype=x.dtype)
    expect_gradient(exact, expected, cotangent_of(x), leaf, seen, atol=1e-5)


@some
@given(x=tensors(), trailing=st.integers(1, 3), affine=st.sampled_from((None, *FORMATS)), region=regions)
def test_layer_norm(x: Tensor, trailing: int, affine: torch.dtype | None, region: torch.dtype | None) -> None:
    shape = tuple(x.shape[-min(trailing, x.ndim) :])
    weight = bias = None
    if affine is not None:
        weight, bias = (torch.linspace(low, 1.5, math.prod(shape)).view(shape).to(affine) for low in (0.5, -1.0))
    leaf, exact = x.clone().requires_grad_(), x.double().requires_grad_()
    with autocast(region):
        seen = lab.fp32_layer_norm(leaf, shape[0] if len(shape) == 1 else shape, weight, bias)
    expected = layer_norm64(exact, shape, weight, bias)
    # The variance of equal large entries is not exactly zero in float32: the rounding of the mean stays in it.
    spread = x.double().abs().max().item() * 2.0**-22 / math.sqrt(1e-5)
    clear = (x.double().var(dim=tuple(range(-len(shape), 0)), unbiased=False) > 1e-3).all()
    rounding = Tolerance("float32 rounding of mean and variance", rtol=1e-4, atol=2e-3 if clear else spread, ulps=1.01)
    expect(seen.detach(), "layer norm").close_to(expected.detach(), rounding, WHY, dtype=x.dtype)
    if clear:
        expect_gradient(exact, expected, cotangent_of(x), leaf, seen, atol=5e-2)


@some
@given(
    logits=tensors(dims=(2, 2)),
    first=st.integers(0, 4),
    weighted=st.sampled_from((None, *FORMATS)),
    reduction=st.sampled_from(("mean", "sum", "none")),
    region=regions,
)
def test_cross_entropy(
    logits: Tensor, first: int, weighted: torch.dtype | None, reduction: str, region: torch.dtype | None
) -> None:
    count, classes = logits.shape
    target = (torch.arange(count) + first) % classes
    weight = None if weighted is None else torch.linspace(0.5, 2.0, classes).to(weighted)
    leaf, exact = logits.clone().requires_grad_(), logits.double().requires_grad_()
    with autocast(region):
        seen = lab.fp32_cross_entropy(leaf, target, weight=weight, reduction=reduction)

    chosen = torch.ones(count, dtype=torch.float64) if weight is None else weight.double()[target]
    each = -torch.log_softmax(exact, dim=1)[torch.arange(count), target] * chosen
    expected = {"none": each, "sum": each.sum(), "mean": each.sum() / chosen.sum()}[reduction]
    rounding = Tolerance("float32 rounding of logits and their differences", rtol=2e-5, atol=1e-5)
    expect(seen.detach(), "cross entropy").close_to(expected.detach(), rounding, WHY, dtype=torch.float32)
    expect_gradient(exact, expected, torch.ones_like(expected), leaf, seen, atol=1e-5)


# Loss scaling -----------------------------------------------------------------------------------------------------

finite = st.sampled_from([0.0, -0.0, 1e-45, -1e-40, 2.0**-24, 1e12, -1e12]) | st.floats(-10, 10, width=32)
gradient_steps = st.lists(
    st.lists(finite, min_size=3, max_size=3)
    | st.lists(finite | st.sampled_from([INF, -INF, NAN]), min_size=3, max_size=3),
    min_size=1,
    max_size=6,
)


@some
@given(
    steps=gradient_steps,
    exponent=st.integers(0, 16),
    limit=st.sampled_from((None, 0.0, 0.5, 1e6)),
    frozen=st.booleans(),
    enabled=st.booleans(),
)
def test_scaled_backward_is_plain_sgd_that_skips(
    steps: list, exponent: int, limit: float | None, frozen: bool, enabled: bool
) -> None:
    """Any finite, infinite or nan gradients; a power of two as scale, so that scaling rounds nothing but subnormals."""
    weights = [torch.tensor([0.5, -1.0]), torch.tensor([2.0])]
    model = nn.ParameterList([*(weight.clone() for weight in weights), torch.ones(1)])
    model[2].requires_grad_(not frozen)
    optimizer = torch.optim.SGD([p for p in model if p.requires_grad], lr=1.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**exponent, growth_interval=2, enabled=enabled)
    gradients = [[torch.tensor(step[:2]), torch.tensor(step[2:])] for step in steps]
    bad = [not all(bool(gradient.isfinite().all()) for gradient in step) for step in gradients]
    factors = [min(1.0, limit / (math.hypot(*step) + 1e-6)) if limit is not None else 1.0 for step in steps]
    moves = [
        step if skipped else [gradient * factor for gradient in step]
        for step, factor, skipped in zip(gradients, factors, bad, strict=True)
    ]
    scales = scales_after(bad, 2.0**exponent, 2.0, 0.5, 2) if enabled else [1.0] * len(steps)
    history = follow(weights, bad, moves)

    for index, step in enumerate(gradients):
        optimizer.zero_grad()
        stepped = lab.scaled_backward(given_loss(list(model), [*step, None], 1.0), scaler, optimizer, model, limit)
        assert stepped is not bad[index]
        assert scaler.get_scale() == scales[index]
        size = max(1.0, *(weight.abs().max().item() for weight in history[index] if weight.isfinite().all()))
        rounding = Tolerance("float32 rounding of norm, factor and a few steps", rtol=1e-5, atol=1e-5 * size)
        for parameter, weight in zip(model, history[index], strict=False):
            expect(parameter.detach(), f"weight after step {index}").close_to(weight, rounding, WHY)
        assert model[2].item() == 1.0


@some
@given(
    bad=st.lists(st.booleans(), min_size=1, max_size=12),
    scale=st.floats(1.0, 1e5),
    growth=st.floats(1.1, 4.0),
    backoff=st.floats(0.1, 0.9),
    interval=st.integers(1, 4),
)
def test_scale_follows_any_pattern_of_overflows(
    bad: list[bool], scale: float, growth: float, backoff: float, interval: int
) -> None:
    model = nn.ParameterList([torch.zeros(2)])
    optimizer = torch.optim.SGD(model, lr=1.0)
    scaler = lab.create_grad_scaler(scale, growth, backoff, interval, device="cpu")
    for overflow, expected in zip(bad, scales_after(bad, scale, growth, backoff, interval), strict=True):
        optimizer.zero_grad()
        gradient = torch.tensor([1.0, INF if overflow else 2.0])
        assert lab.scaled_backward(given_loss(list(model), [gradient], 1.0), scaler, optimizer, model) is not overflow
        assert scaler.get_scale() == pytest.approx(expected, rel=1e-5)


# Epochs -----------------------------------------------------------------------------------------------------------


class Mean(nn.Module):
    """The mean of the targets, whatever the model says; its gradients are zero."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        return target.mean() + 0 * output.float().mean()


@some
@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=5), data=st.data())
def test_epoch_means_do_not_depend_on_the_split(sizes: list[int], data: st.DataObject) -> None:
    """Over samples, not over batches; in training without the batches whose loss is not finite."""
    lost = data.draw(st.lists(st.sampled_from([None, None, INF, NAN]), min_size=len(sizes), max_size=len(sizes)))
    targets = (torch.arange(sum(sizes)) * 7 % 11 - 3.0).split(sizes)
    targets = [
        part if value is None else torch.full_like(part, value) for part, value in zip(targets, lost, strict=True)
    ]
    batches = [(torch.ones(len(part), 2), part) for part in targets]
    trainer = lab.MixedPrecisionTrainer(nn.Linear(2, 1), dtype=torch.bfloat16)
    optimizer = torch.optim.SGD(trainer.model.parameters(), lr=0.0)

    counted = [part for part, value in zip(targets, lost, strict=True) if value is None]
    expected = torch.cat(counted).double().mean().item() if counted else NAN
    epoch = trainer.train_epoch(batches, optimizer, Mean())
    assert epoch["loss"] == pytest.approx(expected, rel=1e-5, abs=1e-5, nan_ok=True)
    assert epoch["total_steps"] == len(sizes)
    if len(counted) == len(targets):
        assert trainer.evaluate(batches, Mean()) == pytest.approx(expected, rel=1e-5, abs=1e-5)
