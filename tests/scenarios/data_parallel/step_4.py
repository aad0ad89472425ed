"""Step 4, data: what the graded suite makes the code under test do."""

import builtins
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from labkit.observe import Submission, attempt, traffic
from scenarios.data_parallel.common import weights


def shards(lab: Submission, cases: list) -> list:
    """For each case the samplers of all ranks: their length, and their indices in each of the epochs."""
    seen = []
    for case in cases:
        samplers = [
            lab.ShardSampler(case["size"], rank, case["ranks"], **case["options"]) for rank in range(case["ranks"])
        ]
        epochs = []
        for epoch in case.get("epochs", [None]):
            for sampler in samplers:
                if epoch is not None:
                    sampler.set_epoch(epoch)
            epochs.append([list(sampler) for sampler in samplers])
        seen.append({"lengths": [len(sampler) for sampler in samplers], "epochs": epochs})
    return seen


@contextmanager
def other_hashes(salt: int) -> Iterator[None]:
    """hash() of a text gives another number, as in another process: Python draws it again whenever it starts."""

    def salted(value: object) -> int:
        if isinstance(value, tuple):
            return plain(tuple(map(salted, value)))
        return plain((salt, value) if isinstance(value, str | bytes) else value)

    plain, builtins.hash = builtins.hash, salted
    try:
        yield
    finally:
        builtins.hash = plain


def shards_of_other_processes(lab: Submission, size: int, seed: int, seeds: list) -> list:
    """Each rank's indices, twice, and what torch's own generator gives amid the second iteration and afterwards.

    That generator, Python's, and the hashes of texts are other ones on each rank, by `seeds[rank]`.
    """
    seen = []
    for rank, own in enumerate(seeds):
        with torch.random.fork_rng(devices=[]), other_hashes(own):
            torch.manual_seed(own)
            random.seed(own)
            sampler = lab.ShardSampler(size, rank, len(seeds), seed=seed)
            once, again = list(sampler), iter(sampler)
            begun = [next(again)]
            amid = torch.rand(3)
            seen.append([once, [*begun, *again], amid, torch.rand(3)])
    return seen


def refused(lab: Submission, cases: list) -> list:
    """What the sampler of each case raises; else its length."""
    return [attempt(lambda case=case: len(lab.ShardSampler(*case["sizes"], **case["options"]))) for case in cases]


class Line(nn.Module):
    """Products of the inputs with `weight`, and with `spare`, which the optimizer may not have.

    `through_half`: the gradient by the products passes through float16. `passes` counts the samples of each pass.
    """

    def __init__(self, weight: Tensor, spare: Tensor, through_half: bool = False) -> None:
        super().__init__()
        self.weight, self.spare = nn.Parameter(weight.clone()), nn.Parameter(spare.clone())
        self.through_half = through_half
        self.part = nn.Identity()
        self.passes: list[int] = []

    def forward(self, inputs: Tensor) -> Tensor:
        self.passes.append(len(inputs))
        product = inputs @ self.weight + inputs @ self.spare
        if self.through_half and product.requires_grad:
            product.register_hook(lambda gradient: gradient.half().float())
        return product


class MeanProduct(nn.Module):
    """The mean of outputs times targets, in `dtype`, so that gradients are as large as the targets say."""

    def __init__(self, factor: float, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.factor, self.dtype = factor, dtype

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return ((outputs * targets).mean() * self.factor).to(self.dtype)


def steps(
    lab: Submission,
    weight: Tensor,
    spare: Tensor,
    batches: list,
    micro_batches: int | None,
    wrapper: str = "torch",
    scaler: dict | None = None,
    limit: float | None = None,
    lr: float = 1.0,
    only_weight: bool = False,
    old: Tensor | None = None,
    factor: float = 1.0,
    through_half: bool = False,
    wire: torch.dtype | None = None,
    training: bool = True,
    of_loss: torch.dtype = torch.float32,
) -> list:
    """After each `train_step` on `batches[step][rank]`: the loss, weights, loss scale, passes and calls.

    The optimizer has a group for each parameter. What is None is left out. `wrapper`: torch's DDP, or the lab's
    DataParallel with `wire` as its dtype. `old` are gradients that are there before the first step. `of_loss` is the
    dtype of the criterion's losses.
    """
    rank, module = dist.get_rank(), Line(weight, spare, through_half)
    own = {"cap_bytes": 64} | ({} if wire is None else {"dtype": wire})
    model = DistributedDataParallel(module) if wrapper == "torch" else lab.DataParallel(module, **own)
    model.train(training)
    module.part.train(not training)
    parameters = [module.weight] if only_weight else [module.weight, module.spare]
    optimizer = torch.optim.SGD([{"params": [one]} for one in parameters], lr=lr)
    options: dict[str, Any] = {"micro_batches": micro_batches, "max_grad_norm": limit}
    if scaler is not None:
        options["scaler"] = torch.amp.GradScaler("cpu", **scaler)
    options = {name: value for name, value in options.items() if value is not None}
    if old is not None:
        module.weight.grad = old.clone()
    seen = []
    for batch in batches:
        module.passes.clear()
        with traffic() as calls:
            loss = lab.train_step(model, tuple(batch[rank]), optimizer, MeanProduct(factor, of_loss), **options)
        scale = options["scaler"].get_scale() if scaler is not None else 1.0
        seen.append({"loss": loss, "weights": weights(module), "scale": scale, "passes": list(module.passes)})
        seen[-1] |= {"calls": calls, "modes": [model.training, module.training, module.part.training]}
    return seen


def order(
    lab: Submission,
    weight: Tensor,
    spare: Tensor,
    batch: list,
    micro_batches: int,
    scaler: dict | None,
    wrapper: str,
) -> list:
    """What happens in one `train_step`: "forward", "backward" and "step", and the gradients' calls as their bytes."""
    module = Line(weight, spare)
    model = DistributedDataParallel(module) if wrapper == "torch" else lab.DataParallel(module)
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    scaling = {} if scaler is None else {"scaler": torch.amp.GradScaler("cpu", **scaler)}
    with traffic() as calls:

        def forward(_module: nn.Module, _inputs: tuple, output: Tensor) -> None:
            calls.append({"name": "forward"})
            output.register_hook(lambda _: calls.append({"name": "backward"}))

        module.register_forward_hook(forward)
        optimizer.register_step_pre_hook(lambda *_: calls.append({"name": "step"}))
        lab.train_step(
            model, tuple(batch[dist.get_rank()]), optimizer, MeanProduct(1.0), micro_batches=micro_batches, **scaling
        )
    sent = [call for call in calls if call.get("dtype", torch.float32) == torch.float32]
    smallest = module.weight.nbytes  # counts and losses are less
    return [call.get("bytes", call["name"]) for call in sent if call.get("bytes", smallest) >= smallest]


def too_few(lab: Submission, weight: Tensor, cases: list, old: Tensor) -> list:
    """`train_step` on each case's batch of this rank: what it raised and left."""

    def run(batch: list, micro_batches: int) -> dict:
        module = Line(weight, weight)
        model = DistributedDataParallel(module)
        optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
        module.weight.grad = old.clone()
        raised = attempt(
            lambda: lab.train_step(model, tuple(batch), optimizer, MeanProduct(1.0), micro_batches=micro_batches)
        )
        left = {"weights": weights(module), "gradient": module.weight.grad, "passes": module.passes}
        return {"raised": raised} | left

    return [run(case["batch"][dist.get_rank()], case["micro_batches"]) for case in cases]
