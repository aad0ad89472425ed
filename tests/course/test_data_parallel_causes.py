"""The likely causes of Lab 02 are told from what torch really raises, in a group of one process."""

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd import Variable
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook
from torch.nn.parallel import DistributedDataParallel

from labkit.course import manifest
from labkit.judge.causes import cause
from labkit.observe.values import Raised

LAB = manifest.find("data_parallel")
LINE = "line 12: the student's"


@pytest.fixture(autouse=True)
def group() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    if dist.is_initialized():
        dist.destroy_process_group()


def parameter(**options: bool) -> nn.Parameter:
    return nn.Parameter(torch.ones(3), **options)


def hook_that_returns() -> None:
    weight = parameter()
    weight.register_post_accumulate_grad_hook(lambda one: dist.all_reduce(one.grad, async_op=True))
    weight.sum().backward()


def no_context_manager() -> None:
    def no_sync() -> Iterator[None]:
        yield

    with no_sync():  # type: ignore[attr-defined]
        pass


def gradient_of_another_dtype() -> None:
    parameter().grad = torch.ones(3, dtype=torch.bfloat16)


def unscaled_twice() -> None:
    weight = parameter()
    scaler, optimizer = torch.amp.GradScaler("cpu"), torch.optim.SGD([weight], lr=0.1)
    scaler.scale(weight.sum()).backward()
    scaler.unscale_(optimizer)
    scaler.unscale_(optimizer)


def unused_under_ddp() -> None:
    model = DistributedDataParallel(nn.ModuleDict({"used": nn.Linear(2, 2), "unused": nn.Linear(2, 2)}))
    model.forward = lambda: DistributedDataParallel.forward(model)  # type: ignore[method-assign]
    model.module.forward = lambda: model.module["used"](torch.ones(1, 2))
    for _ in range(2):
        model().sum().backward()


def hook_without_annotations() -> None:
    def hook(state: object, bucket: Tensor) -> None:
        """Not what torch asks for."""

    DistributedDataParallel(nn.Linear(2, 2)).register_comm_hook(None, hook)


def without_a_group() -> None:
    dist.destroy_process_group()
    dist.all_reduce(torch.ones(2))


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (lambda: Variable._execution_engine.queue_callback(print), "inside a hook only"),
        (hook_that_returns, "returns nothing"),
        (lambda: parameter(requires_grad=False).register_post_accumulate_grad_hook(print), "takes no hook"),
        (no_context_manager, "contextmanager"),
        (lambda: parameter().div_(2), "was its gradient meant"),
        (gradient_of_another_dtype, "copy_ it into the gradient"),
        (lambda: torch.ones(5).split([2, 2]), "numel()"),
        (lambda: torch.cat([torch.ones(2), None]), "zeros in its place"),
        (without_a_group, "no process group"),
        (unscaled_twice, "once a step"),
        (unused_under_ddp, "find_unused_parameters"),
        pytest.param(
            lambda: DistributedDataParallel(nn.Linear(2, 2)).register_comm_hook(None, bf16_compress_hook),
            "without NCCL",
            marks=pytest.mark.skipif(dist.is_nccl_available(), reason="this PyTorch has NCCL, and takes the hook"),
        ),
        (hook_without_annotations, "keep those of the skeleton"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_torch_raises_has_its_cause(run: Callable[[], object], says: str) -> None:
    with pytest.raises((RuntimeError, TypeError, ValueError)) as raised:
        run()
    assert says in cause(Raised.of(raised.value, LINE), LAB), raised.value
