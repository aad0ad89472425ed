"""The audit: which operation ran in which dtype, as seen below autocast."""

import pytest
import torch
from commandline import run, solution

from labkit.labs.mixed_precision.audit import Operation, audit_step, conclusions
from labkit.labs.mixed_precision.training import Settings


def dtypes(operations: list[Operation], name: str, part: str = "model") -> set[str]:
    return {operation.dtypes for operation in operations if operation.name == name and operation.part == part}


@pytest.mark.parametrize(("dtype", "half"), [("fp16", "float16"), ("bf16", "bfloat16")])
def test_matrix_products_run_in_half_and_the_loss_and_the_update_in_float32(dtype: str, half: str) -> None:
    operations = audit_step(solution(), Settings(dtype=dtype))
    assert dtypes(operations, "addmm") == dtypes(operations, "mm") == {half}
    assert dtypes(operations, "_log_softmax") == dtypes(operations, "nll_loss_forward") == {"float32"}
    assert f"float32 -> {half}" in dtypes(operations, "_to_copy")
    assert dtypes(operations, "addcdiv_", "update") <= {"float32"}
    update = {part for op in operations if op.part == "update" for part in op.dtypes.split(" -> ")}
    assert half not in update


def test_the_convolutions_of_the_other_model_are_seen() -> None:
    operations = audit_step(solution(), Settings(dtype="bf16", model="cnn", batch_size=32))
    assert dtypes(operations, "convolution") == dtypes(operations, "convolution_backward") == {"bfloat16"}


def test_calls_are_those_of_one_step_and_the_longest_come_first() -> None:
    operations = audit_step(solution(), Settings(dtype="bf16"))
    calls = {operation.name: operation.calls for operation in operations if operation.part == "model"}
    assert calls["addmm"] == 4  # one a Linear
    assert calls["mm"] == 7  # two a Linear on the way back, the first needs no gradient of its input
    seconds = [operation.seconds for operation in operations]
    assert seconds == sorted(seconds, reverse=True)


def test_the_command_prints_a_table_and_what_stayed_in_float32() -> None:
    finished = run(solution(), "--audit", "--dtype", "fp16")
    assert finished.code == 0
    assert "| Operation" in finished.out and max(map(len, finished.out.splitlines())) <= 80
    text = " ".join(finished.out.split())
    assert "Ran in float16: " in text and "Stayed in float32: " in text
    assert "and the update of the master weights." in text
    fp32 = " ".join(run(solution(), "--audit", "--dtype", "fp32").out.split())
    assert "Ran in float32: " in fp32 and "float16" not in fp32


def test_a_trainer_without_autocast_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = solution()
    monkeypatch.setattr(lab, "_autocast", lambda device, dtype: torch.autocast("cuda", enabled=False))
    operations = audit_step(lab, Settings(dtype="fp16"))
    assert conclusions(operations, "fp16") == [
        "No operation ran in float16: is autocast on, and for the device that the model is on?"
    ]
