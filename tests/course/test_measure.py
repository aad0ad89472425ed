"""The measurements, against cases that can be worked out by hand; nothing here asserts how fast the machine is."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from labkit.toolbox import measure
from labkit.toolbox.measure import FORMATS, StepMemory, check_amp_available, interleaved_medians, step_memory
from labkit.toolbox.models import SmallCNN

FLOAT = 4  # bytes of a float32


def _peak(step: Callable[[], object]) -> int:
    return step_memory(step, warmup=0).peak_bytes


def test_peak_is_the_size_of_the_only_tensor() -> None:
    assert step_memory(lambda: torch.zeros(1000), warmup=0) == StepMemory(1000 * FLOAT, 0)


def test_peak_adds_tensors_only_while_both_are_alive() -> None:
    def one_after_the_other() -> None:
        torch.zeros(1000)
        torch.zeros(600)

    def both_at_once() -> None:
        first, second = torch.zeros(1000), torch.zeros(600)
        del first, second
        torch.zeros(1200)

    assert _peak(one_after_the_other) == 1000 * FLOAT
    assert _peak(both_at_once) == 1600 * FLOAT


def test_peak_counts_a_view_and_an_in_place_result_once() -> None:
    assert _peak(lambda: torch.zeros(1000).view(10, 100).t().add_(1)) == 1000 * FLOAT


def test_peak_holds_tensors_from_before_the_step_even_if_it_reads_them_late() -> None:
    weight = torch.zeros(1000)

    def step() -> None:
        torch.zeros(500)
        weight.add_(1)

    assert _peak(step) == 1500 * FLOAT


def test_peak_drops_a_tensor_from_before_the_step_that_the_step_frees() -> None:
    held = [torch.zeros(1000)]

    def step() -> None:
        held[0].add_(1)
        held.clear()
        torch.zeros(600)

    assert _peak(step) == 1000 * FLOAT


def test_warmup_brings_the_optimizer_state_into_the_peak() -> None:
    weight = nn.Parameter(torch.zeros(1000))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)

    def step() -> None:
        torch.zeros(5000)  # an activation, gone before the optimizer runs
        weight.grad = torch.ones(1000)
        optimizer.step()

    # Activation, weight and momentum; in the very first step the momentum would not be there beside the activation.
    assert step_memory(step).peak_bytes == (5000 + 1000 + 1000) * FLOAT


def test_saved_counts_what_relu_keeps_and_not_the_input_from_before_the_step() -> None:
    inputs = torch.randn(100, 50, requires_grad=True)
    # relu keeps its result for the backward pass.
    assert step_memory(lambda: F.relu(inputs).sum().backward()).saved_activation_bytes == 100 * 50 * FLOAT


def test_saved_counts_a_tensor_once_for_two_operations() -> None:
    inputs = torch.randn(100, 50, requires_grad=True)

    def step() -> None:
        hidden = F.relu(inputs)
        (hidden * hidden).sum().backward()

    assert step_memory(step).saved_activation_bytes == 100 * 50 * FLOAT


def test_saved_is_the_most_held_at_one_time_not_a_sum_over_the_step() -> None:
    inputs = torch.randn(100, 50, requires_grad=True)

    def step() -> None:
        for _ in range(3):
            F.relu(inputs).sum().backward()

    assert step_memory(step).saved_activation_bytes == 100 * 50 * FLOAT


def test_saved_leaves_out_float32_weights_and_counts_their_half_precision_copies() -> None:
    model, inputs = nn.Linear(64, 32), torch.randn(8, 64)

    def step(enabled: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            outputs = model(inputs)
        outputs.float().sum().backward()

    assert step_memory(lambda: step(False)).saved_activation_bytes == 0
    # The backward pass of a linear layer needs its input for the weight's gradient; the weight only if the input needs
    # one too, which here it does not.
    assert step_memory(lambda: step(True)).saved_activation_bytes == 8 * 64 * 2
    inputs.requires_grad_()
    assert step_memory(lambda: step(True)).saved_activation_bytes == (8 * 64 + 64 * 32) * 2


def test_autocast_lowers_the_peak_of_a_network_made_of_activations() -> None:
    images, labels = torch.rand(256, 64), torch.arange(256) % 10
    memory: dict[bool, StepMemory] = {}
    for enabled in (False, True):
        model = SmallCNN()
        optimizer = torch.optim.AdamW(model.parameters())

        def step(model: nn.Module = model, optimizer: torch.optim.Optimizer = optimizer, half: bool = enabled) -> None:
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()

        memory[enabled] = step_memory(step)
    # Bytes, not time, so the same on every machine but for kernels that PyTorch may pick differently.
    assert memory[True].peak_bytes < 0.7 * memory[False].peak_bytes
    assert memory[True].saved_activation_bytes < 0.6 * memory[False].saved_activation_bytes


def test_entries_take_turns_warmup_first() -> None:
    calls: list[str] = []
    medians = interleaved_medians({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=3, warmup=2)
    assert calls == ["a", "b"] * 5
    assert list(medians) == ["a", "b"]


def test_a_median_leaves_out_warmup_and_one_slow_call(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    durations = iter([100.0, 1.0, 50.0, 2.0])

    def step() -> None:
        nonlocal now
        now += next(durations)

    monkeypatch.setattr(measure.time, "perf_counter", lambda: now)
    assert interleaved_medians({"step": step}, repeats=3, warmup=1) == {"step": 2.0}


def test_medians_need_a_repeat() -> None:
    with pytest.raises(ValueError, match="repeats must be at least 1, got 0"):
        interleaved_medians({}, repeats=0)


def test_amp_check_names_the_three_formats_it_knows() -> None:
    with pytest.raises(ValueError, match=r"torch\.float16, torch\.bfloat16 or torch\.float32, got torch\.float64"):
        check_amp_available(torch.float64, "cpu")


@pytest.mark.parametrize("dtype", FORMATS)
def test_amp_check_says_no_where_there_is_no_such_device(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not check_amp_available(dtype, "cuda")
    assert not check_amp_available(dtype, "abacus")


@pytest.mark.parametrize(
    ("capabilities", "native"),
    [
        ({"avx2": True, "f16c": True}, ()),
        ({"avx512_f": True, "avx512_bf16": True, "avx512_fp16": False}, (torch.bfloat16,)),
        ({"amx_fp16": True, "amx_bf16": True}, (torch.float16, torch.bfloat16)),
        ({"neon": True, "fp16_arith": True, "bf16": False}, (torch.float16,)),
    ],
)
def test_amp_check_asks_the_cpu_for_instructions(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], native: tuple[torch.dtype, ...]
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert tuple(dtype for dtype in FORMATS if check_amp_available(dtype, "cpu")) == (torch.float32, *native)


def test_amp_check_does_not_take_emulated_bf16_for_native(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert not check_amp_available(torch.bfloat16, "cuda")
    assert check_amp_available(torch.float16, "cuda")
    assert check_amp_available(torch.float32, "cuda")


def test_hardware_says_what_a_measurement_was_taken_on() -> None:
    machine = measure.hardware()
    assert set(machine) == {"cpu", "cores", "threads", "gpu", "torch", "python", "tf32"}
    assert machine["torch"] == torch.__version__
    assert machine["cpu"]
