"""The likely causes of Lab 03 are told from what torch really raises, in a group of one process."""

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.autograd import Variable
from torch.distributed.fsdp import fully_shard

from labkit.course import manifest
from labkit.judge.causes import cause
from labkit.observe.values import Raised

LAB = manifest.find("sharded")
LINE = "line 12: the student's"


@pytest.fixture(autouse=True)
def group() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    if dist.is_initialized():
        dist.destroy_process_group()


def freed_weights() -> None:
    layer = nn.Linear(3, 2)
    layer.weight.untyped_storage().resize_(0)
    layer(torch.ones(1, 3))


def freed_for_backward() -> None:
    layer = nn.Linear(3, 2)
    output = layer(torch.ones(1, 3, requires_grad=True))
    layer.weight.untyped_storage().resize_(0)
    output.sum().backward()


def forward_of_a_sharded_module() -> None:
    layer = nn.Linear(3, 2)
    fully_shard(layer)
    layer.forward(torch.ones(1, 3))


def hook_that_returns() -> None:
    weight = parameter()
    weight.register_post_accumulate_grad_hook(lambda one: True)
    weight.sum().backward()


def parameter(**options: bool) -> nn.Parameter:
    return nn.Parameter(torch.ones(3), **options)


def gradient(*size: int, dtype: torch.dtype = torch.float32) -> None:
    parameter().grad = torch.ones(size, dtype=dtype)


def without_a_group() -> None:
    dist.destroy_process_group()
    dist.all_reduce(torch.ones(2))


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (freed_weights, "gather them first"),
        (freed_for_backward, "in backward too"),
        (forward_of_a_sharded_module, "not its forward"),
        (lambda: Variable._execution_engine.queue_callback(print), "inside a hook only"),
        (hook_that_returns, "returns nothing"),
        (lambda: torch.ones(2).register_hook(print), "under no_grad, takes no hook"),
        (lambda: parameter().copy_(torch.zeros(3)), "under torch.no_grad()"),
        (lambda: torch.optim.SGD([parameter() * 2], lr=0.1), "detach() it"),
        (lambda: gradient(3, dtype=torch.bfloat16), "cast what came back"),
        (lambda: gradient(4), "cut it as the shard is cut"),
        (lambda: torch.ones(5).split([2, 2]), "cut the padding"),
        (lambda: torch.ones(5).view(2, 2), "cut the padding"),
        (lambda: torch.optim.AdamW([]), "a generator read before"),
        (lambda: nn.Linear(2, 2).bfloat16()(torch.ones(1, 2)), "those by name and in lists"),
        (without_a_group, "no process group"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_torch_raises_has_its_cause(run: Callable[[], object], says: str) -> None:
    with pytest.raises((RuntimeError, TypeError, ValueError)) as raised:
        run()
    assert says in cause(Raised.of(raised.value, LINE), LAB), raised.value
