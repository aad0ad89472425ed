"""Step 5, torch's DDP: what the graded suite makes the code under test do, on every rank."""

from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh
from torch.nn.parallel import DistributedDataParallel

from labkit.observe import Flag, Submission, traffic
from scenarios.data_parallel.common import Holder, gradients, weights
from scenarios.data_parallel.step_3 import PATIENCE, backward_noting, network


def wrapped(lab: Submission, values: list, buffers: list, compress: bool | None, options: dict) -> dict:
    """What the wrapped module of each rank is, from `values[rank]` and `buffers[rank]`; None leaves compress out."""
    rank = dist.get_rank()
    module = Holder(values[rank], buffers=buffers[rank])
    model = lab.wrap_ddp(module, **({} if compress is None else {"compress": compress}), **options)
    return {
        "is torch's": isinstance(model, DistributedDataParallel),
        "inside": model.module is module,
        "parameters": weights(module),
        "buffers": [buffer.clone() for buffer in module.buffers()],
    }


def passes(
    lab: Submission,
    values: list,
    steps: list,
    compress: bool | None,
    options: dict | None = None,
    pairs: str | None = None,
    cap_bytes: int | None = None,
) -> list:
    """Backward passes whose gradients on this rank are `steps[step][rank]`; gradients and calls after each.

    `pairs`: ranks 0 and 1, and ranks 2 and 3, form a group each, which DDP gets as this option: its "process_group" or
    "device_mesh". `cap_bytes` become `bucket_cap_mb`. A `compress` of None is left out.
    """
    rank = dist.get_rank()
    given: dict[str, Any] = dict(options or {}) | ({} if compress is None else {"compress": compress})
    # They end with the process. Destroyed here, they would end with DDP's reducer, which holds Python's lock while a
    # thread of gloo that it waits for may need this lock: a deadlock once in a few hundred times, with torch 2.13.
    groups = [dist.new_group([first, first + 1]) for first in (0, 2)] if pairs else []
    if pairs:
        own = groups[rank // 2]
        given[pairs] = own if pairs == "process_group" else DeviceMesh.from_group(own, "cpu")
    if cap_bytes is not None:
        given["bucket_cap_mb"] = cap_bytes / 2**20
    module = Holder(values)
    model = lab.wrap_ddp(module, **given)
    seen = []
    for coefficients in steps:
        model.zero_grad()
        with traffic() as calls:
            model(coefficients[rank]).backward()
        seen.append({"gradients": gradients(module), "calls": calls})
    return seen


def futures(lab: Submission, values: list, coefficients: list) -> list:
    """Of the bucket in a backward pass of each parameter: its dtype, and that of what the hook's future gives."""
    seen: list = []

    def spy(state: object, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
        def noted(future: torch.futures.Future[torch.Tensor]) -> Any:
            given = future.value()
            seen.append([bucket.buffer().dtype, getattr(given, "dtype", None)])
            return given

        return lab.compress_gradients(state, bucket).then(noted)

    for one, by in zip(values, coefficients, strict=True):
        model = DistributedDataParallel(Holder([one]))
        model.register_comm_hook(None, spy)
        model([by]).backward()
    return seen


def late(lab: Submission, sizes: list, state: list, inputs: list, cap_bytes: int, late_rank: int) -> dict:
    """A compressed backward pass, the third, in which one rank waits until another one is through all of its layers.

    `through`: whether that one came through before the late one's patience was over. And this rank's gradients.
    """
    rank, module = dist.get_rank(), network(sizes, state)
    model = lab.wrap_ddp(module, compress=True, bucket_cap_mb=cap_bytes / 2**20)
    for _ in range(2):  # DDP makes its buckets in the first, and again in the second
        model(inputs[rank]).sum().backward()
    model.zero_grad()
    flag = Flag("through all layers")
    through: list[bool] = []

    def note(layer: int) -> None:
        if rank == late_rank and layer == len(sizes) - 2:
            through.append(flag.wait(PATIENCE))
        elif rank == (late_rank + 1) % dist.get_world_size() and layer == -1:
            flag.set()

    backward_noting(model, module, inputs[rank], note)
    return {"through": through, "gradients": gradients(module)}
