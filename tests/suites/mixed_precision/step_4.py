"""Step 4, operations that stay in float32: one behaviour a test, judged by the values that a scenario brought back."""

import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.judge.expect import Tolerance, expect
from references.mixed_precision import (
    layer_norm64,
)
from scenarios.mixed_precision import step_4 as scenarios
from suites.mixed_precision.common import FLOAT32, FORMATS, HALVES


def dtypes_and_regions(draw) -> list[tuple[torch.dtype, torch.dtype | None]]:
    """The dtype of x and the autocast region of three calls; on float32 x, whatever follows autocast shows most."""
    one, other = draw.shuffled(HALVES)
    return draw.shuffled([(torch.float32, one), (one, other), (other, None)])


WIDE_THEN_ROUNDED = Tolerance("computed in float32, then rounded once", ulps=1.01, rtol=2e-6, atol=2e-6)


SMALL_PROBABILITIES = Tolerance("one step of float16 below 6.1e-5 is 6e-8", atol=1.3e-7)


NORMED_THEN_ROUNDED = Tolerance(
    "the float32 mean of values below 90 is off by 2^-18, then rounded once", ulps=1.01, atol=1e-5
)


def expect_wide(
    seen: object, what: str, expected: Tensor, dtype: torch.dtype, why: str, tolerance: Tolerance = WIDE_THEN_ROUNDED
) -> None:
    if isinstance(seen, torch.Tensor) and seen.shape == expected.shape and seen.dtype != dtype:
        why = "computed, and handed back in another dtype: the result of an island goes back to the dtype of x"
    expect(seen, what).close_to(expected, tolerance, why, dtype=dtype)


def test_layer_norm_computes_in_float32(observe, draw):
    """Layer norm computes in float32, inside an autocast region too."""
    for dtype, region in dtypes_and_regions(draw):
        mean = draw.number(60.0, 90.0) if dtype == torch.float32 else draw.number(20.0, 40.0)
        x = (draw.normal(4, 33) * 3.0 + mean).to(dtype)
        seen = observe(scenarios.layer_norm, x=x, shape=33, arguments={}, region=region)
        why = f"mean and variance of values around {mean:.0f} need float32: cast x first, leave autocast, cast back"
        expect_wide(seen, "fp32_layer_norm(x)", layer_norm64(x, (33,)), dtype, why, NORMED_THEN_ROUNDED)


def test_layer_norm_survives_large_values(observe, draw):
    """Layer norm of values whose squares overflow float16 stays right."""
    x = (draw.away_from_zero(2, 512, low=250.0, high=350.0)).half()
    seen = observe(scenarios.layer_norm, x=x, shape=512, arguments={}, region=draw.choice(HALVES))
    why = "the squares of values around 300 exceed float16's 65504: the variance is computed in float32"
    expect_wide(seen, "fp32_layer_norm(x)", layer_norm64(x, (512,)), torch.float16, why)


def test_layer_norm_adds_eps_inside_the_root(observe, draw):
    """eps is added to the biased variance, inside the square root."""
    dtype, eps = draw.choice(FORMATS), draw.number(2e-8, 9e-8)
    x = (draw.normal(3, 5) * 2.0**-12).to(dtype)
    seen = observe(scenarios.layer_norm, x=x, shape=[5], arguments={"eps": eps})
    why = "sqrt(variance + eps) with the biased variance (divided by n), in float32: an eps of 5e-8 is zero in float16"
    expect_wide(seen, "fp32_layer_norm(x)", layer_norm64(x, (5,), eps=eps), dtype, why)


def test_layer_norm_takes_shapes_and_affine(observe, draw):
    """Layer norm takes an int or a tuple as shape, and weight, bias or neither."""
    half = draw.choice(HALVES)
    shapes = draw.shuffled([((6,), 6), ((4, 6), [4, 6]), ((6,), [6])])
    dtypes = draw.shuffled([(half, half), (half, torch.float32), (torch.float32, half)])
    for (shape, given), (dtype, affine_dtype) in zip(shapes, dtypes, strict=True):
        x = draw.normal(12, 4, 6, dtype=dtype)
        weight, bias = draw.normal(*shape, dtype=affine_dtype), draw.normal(*shape, dtype=affine_dtype)
        for affine in ({"weight": weight, "bias": bias}, {"bias": bias}, {"weight": weight}):
            region = draw.choice((None, *HALVES))
            seen = observe(scenarios.layer_norm, x=x, shape=given, arguments=affine, region=region)
            why = "normalize over all dimensions of normalized_shape (an int is the last), then weight and bias"
            expect_wide(seen, f"fp32_layer_norm(x, {given})", layer_norm64(x, shape, **affine), dtype, why)


def test_softmax_computes_in_float32(observe, draw):
    """Softmax computes in float32, inside an autocast region too."""
    for dtype, region in dtypes_and_regions(draw):
        x = (draw.normal(4, 40) * 4.0).to(dtype)
        seen = observe(scenarios.softmax, x=x, arguments={}, region=region)
        why = "half precision rounds x - max, and exp multiplies the error: compute in float32, return x's dtype"
        expect_wide(seen, "fp32_softmax(x)", torch.softmax(x.double(), dim=-1), dtype, why)


def test_softmax_survives_large_logits(observe, draw):
    """Softmax of logits of any size gives no inf and no nan."""
    dtype = draw.choice(FORMATS)
    x = draw.normal(4, 12) * 3.0 + torch.tensor(draw.shuffled([-300.0, 0.0, 200.0, 5000.0]))[:, None]
    x[draw.integer(0, 3), draw.integer(0, 11)] += 500.0
    x = x.to(dtype)
    seen = observe(scenarios.softmax, x=x, arguments={}, region=draw.choice(HALVES))
    why = "exp(200) is beyond float32: subtract the largest logit first"
    expect_wide(seen, "fp32_softmax(x)", torch.softmax(x.double(), dim=-1), dtype, why)


def test_softmax_of_a_long_row(observe, draw):
    """Softmax of a row longer than float16 can count stays right."""
    x = draw.normal(1, 80000, dtype=torch.float16) * 0.02
    seen = observe(scenarios.softmax, x=x, arguments={}, region=draw.choice((None, *HALVES)))
    why = "the sum of 80000 exponentials is beyond float16's 65504: sum in float32"
    expect_wide(seen, "fp32_softmax(x)", torch.softmax(x.double(), dim=-1), torch.float16, why, SMALL_PROBABILITIES)


def test_softmax_sums_along_the_dimension(observe, draw):
    """Softmax sums to one along `dim`."""
    for dim in draw.shuffled((0, 1, 2, -2)):
        x = draw.normal(3, 4, 5, dtype=draw.choice(FORMATS))
        seen = observe(scenarios.softmax, x=x, arguments={"dim": dim})
        expect_wide(
            seen,
            f"fp32_softmax(x, dim={dim})",
            torch.softmax(x.double(), dim=dim),
            x.dtype,
            "`dim` is the dimension that sums to one",
        )


def expect_loss(seen: object, what: str, expected: Tensor, why: str) -> None:
    if isinstance(seen, torch.Tensor) and seen.is_floating_point() and seen.isnan().any():
        why = "a probability was 0, its log -inf, and 0 x -inf is nan: take log_softmax in one, in float32"
    tolerance = Tolerance("float32 rounding of logits below 16 is up to 2^-20, twice", rtol=1e-5, atol=2e-6)
    expect(seen, what).close_to(expected, tolerance, why, dtype=torch.float32)


def test_cross_entropy_computes_in_float32(observe, draw):
    """Cross entropy computes and is returned in float32."""
    for dtype, region in dtypes_and_regions(draw):
        logits, target = draw.normal(5, 7, dtype=dtype) * 3, draw.integers(5, high=7)
        seen = observe(scenarios.cross_entropy, logits=logits, target=target, arguments={}, region=region)
        why = "logits in (not probabilities), float32 inside, and the float32 loss returned as it is"
        expect_loss(seen, "fp32_cross_entropy(logits)", F.cross_entropy(logits.double(), target), why)


def test_cross_entropy_survives_extreme_logits(observe, draw):
    """Cross entropy of logits near the limits of float16 stays right."""
    sizes, wrong = draw.away_from_zero(6, low=40000.0, high=60000.0), torch.tensor(draw.pattern(6))
    target = ((sizes < 0) ^ wrong).long()  # the loss of a right answer is 0, that of a wrong one has to be seen
    logits = torch.stack([sizes, -sizes], dim=1).half()
    seen = observe(
        scenarios.cross_entropy,
        logits=logits,
        target=target,
        arguments={"reduction": "none"},
        region=draw.choice(HALVES),
    )
    why = "the difference of two float16 logits can exceed 65504: subtract in float32"
    expect_loss(seen, "fp32_cross_entropy(logits)", F.cross_entropy(logits.double(), target, reduction="none"), why)


def test_cross_entropy_of_confident_predictions(observe, draw):
    """The small loss of a confident prediction keeps its digits."""
    dtype, target = draw.choice(HALVES), draw.integers(6, high=4)
    logits = (F.one_hot(target, 4) * draw.number(7.0, 9.0) + draw.normal(6, 4) * 0.5).to(dtype)
    seen = observe(scenarios.cross_entropy, logits=logits, target=target, arguments={"reduction": "none"})
    why = "the log of a probability near 1 vanishes in half precision: log_softmax in float32"
    expect_loss(seen, "fp32_cross_entropy(logits)", F.cross_entropy(logits.double(), target, reduction="none"), why)


def test_cross_entropy_weighs_and_reduces(observe, draw):
    """Cross entropy obeys the class weights, whatever their sum, and the reduction."""
    for reduction in draw.shuffled(("mean", "sum", "none")):
        for size in draw.shuffled((0.01, 1.0, 30.0)):
            logits, target = draw.normal(6, 5, dtype=draw.choice(FORMATS)), draw.integers(6, high=5)
            weight = draw.away_from_zero(5, low=0.2, high=3.0).abs() * size
            weight = weight.to(draw.choice(FORMATS))
            seen = observe(
                scenarios.cross_entropy,
                logits=logits,
                target=target,
                arguments={"weight": weight, "reduction": reduction},
                region=draw.choice((None, *HALVES, *HALVES)),
            )
            expected = F.cross_entropy(logits.double(), target, weight=weight.double(), reduction=reduction)
            why = "use weight in float32, outside autocast; the mean divides by the weights of the targets' classes"
            expect_loss(seen, f"fp32_cross_entropy(..., {reduction})", expected, why)


def test_float64_goes_in_and_out(observe, draw):
    """x in float64 is computed in float32 too and comes back in float64; the loss stays float32."""
    why = "any floating dtype may come in; what goes back to x's dtype goes back to float64 as well"
    for _ in range(3):
        x, target = draw.normal(4, 6, dtype=torch.float64), draw.integers(4, high=6)
        region = draw.choice((None, *HALVES))
        seen = observe(scenarios.layer_norm, x=x, shape=6, arguments={}, region=region)
        expect_wide(seen, "fp32_layer_norm(x)", layer_norm64(x, (6,)), torch.float64, why, NORMED_THEN_ROUNDED)
        seen = observe(scenarios.softmax, x=x, arguments={}, region=region)
        expect_wide(seen, "fp32_softmax(x)", torch.softmax(x, dim=-1), torch.float64, why)
        seen = observe(scenarios.cross_entropy, logits=x, target=target, arguments={}, region=region)
        expect_loss(seen, "fp32_cross_entropy(logits)", F.cross_entropy(x, target), "the loss comes back in float32")


def test_gradients_flow_through_float32_operations(observe, draw):
    """Gradients flow through all three operations, in the dtypes of what they are of."""
    for dtype in draw.shuffled(FORMATS):
        expect_gradients(observe, draw, dtype)


def expect_gradients(observe, draw, dtype: torch.dtype) -> None:
    x, cotangent, target = draw.normal(4, 6, dtype=dtype), draw.normal(4, 6), draw.integers(4, high=6)
    weight = draw.normal(6, dtype=dtype)
    rounding = FLOAT32 if dtype == torch.float32 else Tolerance("a few roundings to half", rtol=0.02, atol=0.03)
    seen = observe(scenarios.sensitive_gradients, x=x, cotangent=cotangent, target=target, weight=weight)
    leaf, gain = x.double().requires_grad_(), weight.double().requires_grad_()
    losses = {
        "layer_norm": (layer_norm64(leaf, (6,), gain) * cotangent.double()).sum(),
        "softmax": (torch.softmax(leaf, dim=-1) * cotangent.double()).sum(),
        "cross_entropy": F.cross_entropy(leaf, target),
    }
    why = "the cast to float32 is part of the graph: no detach, .data or no_grad on the way"
    for name, loss in losses.items():
        (gradient,) = torch.autograd.grad(loss, leaf, retain_graph=True)
        expect(seen[name], f"gradient of x through {name}").close_to(gradient, rounding, why, dtype=dtype)
    (gradient,) = torch.autograd.grad(losses["layer_norm"], gain)
    expect(seen["weight"], "gradient of layer norm's weight").close_to(gradient, rounding, why, dtype=dtype)
    bias = cotangent.sum(dim=0)
    expect(seen["bias"], "gradient of layer norm's bias").close_to(bias, rounding, why, dtype=dtype)
