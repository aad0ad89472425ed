"""The likely causes of Lab 07 are told from what was really raised."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from labkit.course import manifest
from labkit.judge.causes import cause
from labkit.observe.values import Raised

LAB = manifest.find("capstones")
LINE = "line 12: the student's"


def fused_attention() -> None:
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1).eval()
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(True)
    try:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            encoder(torch.randn(2, 3, 8), src_key_padding_mask=torch.tensor([[False, False, True], [False] * 3]))
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def batch_second(**masks: torch.Tensor) -> None:
    model = nn.Transformer(8, 2, 1, 1, 16)
    model(torch.randn(2, 3, 8), torch.randn(2, 5, 8) if not masks else torch.randn(2, 3, 8), **masks)


def optimizer_of(*parameters: nn.Parameter) -> torch.optim.Optimizer:
    return torch.optim.SGD(list(parameters), lr=0.1)


def unscaled(times: int, parameter: nn.Parameter, has_gradient: bool = True) -> None:
    scaler, optimizer = torch.amp.GradScaler("cpu"), optimizer_of(parameter)
    if has_gradient:
        scaler.scale(parameter.float().sum()).backward()
    else:
        scaler.scale(torch.ones(1))
    for _ in range(times):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)


def shared() -> None:
    parameter = nn.Parameter(torch.ones(2))
    torch.optim.SGD([{"params": [parameter]}, {"params": [parameter]}], lr=0.1)


def raised(call: Callable[[], object]) -> Raised:
    try:
        call()
    except Exception as error:
        return Raised.of(error, LINE)
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (fused_attention, "set_fastpath_enabled(False)"),
        (batch_second, "batch_first=True"),
        (lambda: batch_second(tgt_mask=torch.ones(3, 3).triu(1).bool()), "batch_first=True"),
        (lambda: batch_second(src_key_padding_mask=torch.zeros(2, 3).bool()), "batch_first=True"),
        (lambda: torch.zeros(2).half().masked_fill(torch.tensor([True, False]), -1e9), "-1e9 does not fit"),
        (lambda: torch.stack([torch.ones(2), torch.ones(3)]), "pad fills them up"),
        (lambda: torch.tensor([[1, 2], [3]]), "pad fills them up"),
        (lambda: 1 / 0, "noam's first step is 1"),
        (lambda: unscaled(2, nn.Parameter(torch.ones(2))), "between two update()"),
        (lambda: unscaled(1, nn.Parameter(torch.ones(2)), has_gradient=False), "backward() comes before"),
        (lambda: unscaled(1, nn.Parameter(torch.ones(2).half())), "leave them float32"),
        (optimizer_of, "nothing is left to train"),
        (shared, "one parameter"),
        (lambda: nn.Embedding(3, 2)(torch.tensor([3])), "a row for each token"),
    ],
)
def test_cause(call: Callable[[], object], says: str) -> None:
    assert says in cause(raised(call), LAB)
