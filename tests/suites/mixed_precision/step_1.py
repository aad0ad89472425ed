"""Step 1, autocast: one behaviour a test, judged by the values that a scenario brought back."""

import torch
from torch import Tensor

from labkit.judge.expect import Tolerance, expect
from references.mixed_precision import (
    linear_in,
)
from scenarios.mixed_precision import step_1 as scenarios
from suites.mixed_precision.common import EXACT, FLOAT32, FORMATS, HALVES, ONE_ULP, OTHER_DTYPES, expect_value_error


def expect_linear(
    seen: object,
    what: str,
    dtype: torch.dtype,
    inputs: Tensor,
    weight: Tensor,
    why: str = "the model must run under autocast in this dtype, on the device type of the inputs",
) -> None:
    tolerance = FLOAT32 if dtype == torch.float32 else ONE_ULP
    expect(seen, what).close_to(linear_in(dtype, inputs, weight), tolerance, why, dtype=dtype)


def test_linear_layers_compute_in_the_dtype(observe, draw):
    """A Linear inside the model computes in the dtype that was asked for."""
    weight, inputs = draw.normal(5, 8), draw.normal(4, 8)
    dtypes = draw.shuffled(FORMATS)
    seen = observe(scenarios.forward_in_each, weight=weight, inputs=inputs, dtypes=dtypes)
    for dtype, output in zip(dtypes, seen, strict=True):
        expect_linear(output, f"inner Linear for {str(dtype).removeprefix('torch.')}", dtype, inputs, weight)


def test_default_dtype_is_float16(observe, draw):
    """Without dtype=, a Linear inside the model computes in float16."""
    weight, inputs = draw.normal(5, 8), draw.normal(4, 8)
    (seen,) = observe(scenarios.forward_in_each, weight=weight, inputs=inputs, dtypes=[None])
    expect_linear(seen, "inner Linear without dtype=", torch.float16, inputs, weight)


def test_half_inputs_are_accepted(observe, draw):
    """Inputs in one half format run under autocast in the other."""
    dtype, other = draw.shuffled(HALVES)
    weight, inputs = draw.normal(5, 8), draw.normal(4, 8, dtype=other)
    (seen,) = observe(scenarios.forward_in_each, weight=weight, inputs=inputs, dtypes=[dtype])
    expect_linear(seen, "inner Linear", dtype, inputs, weight)


def test_elementwise_operations_keep_float32(observe, draw):
    """A product of float32 tensors inside the model stays float32 and unrounded."""
    dtype = draw.choice(HALVES)
    scale, weight, inputs = draw.normal(8), draw.normal(5, 8), draw.normal(4, 8)
    seen = observe(scenarios.forward_with_elementwise, scale=scale, weight=weight, inputs=inputs, dtype=dtype)
    expect(seen["scaled"], "inputs * parameter").close_to(
        inputs * scale,
        FLOAT32,
        why="autocast decides operation by operation, and a product of float32 tensors stays float32: "
        "neither the inputs nor the whole model may be cast by hand",
    )
    expect_linear(seen["linear"], "the Linear behind it", dtype, inputs * scale, weight)


def test_output_comes_back(observe, draw):
    """The output is what the model computed, an overflow to inf included."""
    weight, inputs = draw.normal(5, 8), draw.normal(4, 8) * draw.away_from_zero(4, 1, low=1.0, high=4.0)
    inputs[draw.integer(0, 3)] *= 1e6
    seen = observe(scenarios.forward_returns, weight=weight, inputs=inputs, dtype=torch.float16)
    expected = linear_in(torch.float16, inputs, weight).half().double()
    why = "return what the model computed, an overflow to inf or nan included: the skipped steps depend on it"
    expect(seen.isfinite(), "finite outputs").equals(expected.isfinite(), why)
    rounding = Tolerance("float16 rounding of outputs below 64", atol=0.04)
    finite = torch.where(expected.isfinite(), seen, 0.0)
    expect(finite, "output").close_to(expected.nan_to_num(0.0, 0.0, 0.0), rounding, why, dtype=seen.dtype)


def test_other_dtypes_are_refused(observe, draw):
    """Any other dtype (float64, float8, an integer, ...) is a ValueError that names the three legal formats."""
    weight, inputs = draw.normal(5, 8), draw.normal(4, 8)
    dtypes = draw.shuffled([*FORMATS, *OTHER_DTYPES])
    seen = observe(scenarios.forward_in_each, weight=weight, inputs=inputs, dtypes=dtypes)
    for dtype, output in zip(dtypes, seen, strict=True):
        if dtype in FORMATS:
            expect_linear(output, "inner Linear", dtype, inputs, weight)
        else:
            expect_value_error(output, f"dtype={dtype}", ["float16", "bfloat16", "float32"])


def leaves_behind(observe, draw) -> tuple[list[Tensor], list[bool], list[bool], dict]:
    weights, modes = [draw.normal(6, 6) for _ in range(10)], draw.pattern(10, share=0.5)
    given = {"weights": weights, "modes": modes, "frozen": draw.pattern(10, share=0.5)}
    given |= {"inputs": draw.normal(3, 6), "dtype": draw.choice(HALVES)}
    return weights, given["frozen"], modes, observe(scenarios.forward_leaves_behind, **given)


def test_parameters_are_left_alone(observe, draw):
    """A forward pass leaves every parameter float32 and unrounded, frozen or not, with the gradient that it held."""
    weights, frozen, _, seen = leaves_behind(observe, draw)
    why = "autocast casts copies; the parameters are the float32 master weights, so neither dtype nor value may change"
    for index, weight in enumerate(weights):
        expect(seen["weights"][index], f"weight of layer {index}").close_to(weight, EXACT, why)
        expect(seen["buffers"][index], f"buffer of layer {index}").close_to(weight, EXACT, why)
        expect(seen["gradients"][index], f"gradient that layer {index} held before").close_to(weight, EXACT, why)
    expect(seen["frozen"], "frozen parameters").equals(frozen, "what is frozen stays frozen, and the rest not")


def test_training_mode_is_left_alone(observe, draw):
    """A forward pass leaves every layer in the mode it was in, train or eval."""
    weights, _, modes, seen = leaves_behind(observe, draw)
    why = "a forward pass decides on precision alone; train() and eval() are the caller's business"
    expect(seen["during"], "training mode of the layers in the forward pass").equals(modes, why)
    expect(seen["after"], "training mode of the layers afterwards").equals(modes, why)
    expect(seen["weights"][0], "weight of layer 0").close_to(weights[0], EXACT, "the parameters changed")


def test_gradients_flow_to_the_parameters(observe, draw):
    """Backward from the output reaches parameters and inputs, in float32; in eval mode too."""
    for dtype, training in draw.shuffled([(dtype, training) for dtype in FORMATS for training in (True, False)]):
        weights, inputs, cotangent = [draw.normal(6, 8), draw.normal(3, 6)], draw.normal(4, 8), draw.normal(4, 3)
        given = {"weights": weights, "inputs": inputs, "cotangent": cotangent, "dtype": dtype, "training": training}
        seen = observe(scenarios.forward_gradients, **given)
        hidden = inputs @ weights[0].T
        expected = {
            "of layer 0": (cotangent @ weights[1]).T @ inputs,
            "of layer 1": cotangent.T @ hidden,
            "of the inputs": cotangent @ weights[1] @ weights[0],
        }
        mode = "train" if training else "eval"
        for got, (name, gradient) in zip(seen, expected.items(), strict=True):
            rounding = Tolerance(
                "a few roundings to bfloat16 of 2^-9 each, of the largest terms",
                atol=0.05 * gradient.abs().max().item(),
            )
            expect(got, f"gradient {name} in {mode} mode").close_to(
                gradient,
                rounding,
                why="the graph must reach the float32 parameters: no no_grad, detach or cast copy of the model",
            )


def test_autocast_ends_with_the_forward_pass(observe, draw):
    """After the call autocast is off again, also if the model raised."""
    weight, inputs = draw.normal(5, 8), [draw.normal(4, 8) for _ in range(4)]
    fails = draw.pattern(4, share=0.5)
    dtype = draw.choice(HALVES)
    seen = observe(scenarios.products_after_forward, weight=weight, inputs=inputs, fails=fails, dtype=dtype)
    for index, (batch, fail) in enumerate(zip(inputs, fails, strict=True)):
        after = "a model that raised" if fail else "the forward pass"
        expect(seen[index], f"a matrix product after {after}").close_to(
            batch @ weight.T, FLOAT32, why="autocast was still on; a `with` block ends also when the model raises"
        )


def test_autocast_state_of_the_caller_is_kept(observe, draw):
    """The caller's own autocast region goes on as it was before the call."""
    weight, inputs = draw.normal(5, 8), draw.normal(4, 8)
    outer, dtype = draw.shuffled(HALVES)
    seen = observe(scenarios.products_around_forward, weight=weight, inputs=inputs, outer=outer, dtype=dtype)
    why = "the caller may be in a region of their own: do not set global autocast state, open a region"
    for place in ("inside", "afterwards"):
        expect(seen[place], f"a matrix product in the caller's region ({place})").close_to(
            linear_in(outer, inputs, weight), ONE_ULP, why, dtype=outer
        )


def test_token_ids_stay_integers(observe, draw):
    """Integer inputs reach the model exactly as they are."""
    table, weight, tokens = draw.normal(5000, 4), draw.normal(3, 4), draw.integers(6, low=2049, high=5000)
    dtype = draw.choice(HALVES)
    seen = observe(scenarios.token_ids_seen, table=table, weight=weight, tokens=tokens, dtype=dtype)
    why = "integer inputs index tables: no cast may touch them (half precision would round ids above 256 or 2048)"
    expect(seen["tokens"], "token ids in the model").equals(tokens, why)
    expect_linear(seen["linear"], "the Linear behind the embedding", dtype, table[tokens], weight)


def test_float32_runs_plainly_in_any_region(observe, draw):
    """float32 runs without autocast, also where the caller has opened a region."""
    weight, cases = draw.normal(5, 8), draw.shuffled([(dtype, region) for dtype in FORMATS for region in HALVES] * 2)
    inputs, (dtypes, regions) = [draw.normal(4, 8) for _ in cases], map(list, zip(*cases, strict=True))
    seen = observe(scenarios.forward_in_regions, weight=weight, inputs=inputs, dtypes=dtypes, regions=regions)
    for index, (dtype, region) in enumerate(cases):
        what = f"Linear for {str(dtype).removeprefix('torch.')} in a region of {str(region).removeprefix('torch.')}"
        expect_linear(
            seen[index],
            what,
            dtype,
            inputs[index],
            weight,
            why="the dtype that was asked for counts, not the caller's region: one with enabled=False switches it off",
        )
