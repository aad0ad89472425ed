"""What a training step of a model of real size holds in memory, counted on a laptop: nothing is computed.

A counted step equals a real step on a CPU to the byte, with one exception: under autocast batch norm keeps its mean
and its deviation in float32, and PyTorch's fake kernel reports 16 bits: 4 bytes less a channel (0.1 MB for ResNet-50).
For a GPU a count is a lower bound: it has no kernel's scratch memory, nor what the allocator rounds up or keeps.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from labkit.labs.mixed_precision.real_models import GPT2, Bert, ResNet
from labkit.labs.mixed_precision.steps import Batch, TokenCrossEntropy, Workload, images, texts, tokens
from labkit.labs.mixed_precision.timeline import Timeline
from labkit.toolbox.measure import StepMemory, nothing_computed

MakeOptimizer = Callable[[Iterable[Tensor]], torch.optim.Optimizer]


@dataclass(frozen=True)
class Way:
    """How numbers are kept: the dtype of the weights, that of autocast, if the optimizer has masters."""

    weights: torch.dtype = torch.float32
    autocast: torch.dtype | None = None
    masters: bool = False


WAYS = {
    "fp32": Way(),
    "fp16 autocast": Way(autocast=torch.float16),
    "bf16 autocast": Way(autocast=torch.bfloat16),
    "all bf16": Way(torch.bfloat16),
    "bf16, fp32 masters": Way(torch.bfloat16, masters=True),
}


# Fused, an update is one operation without temporary results: the quickest to count, and the least that a GPU needs.
OPTIMIZERS: dict[str, MakeOptimizer] = {
    "SGD": partial(torch.optim.SGD, lr=0.1, momentum=0.9, fused=True),
    "AdamW": partial(torch.optim.AdamW, fused=True),
}
# Each with the name of the optimizer that usually trains it.
CASES = (
    (Workload("ResNet-50", ResNet, nn.CrossEntropyLoss(), images(224, 1000), 64, "images of 224 x 224"), "SGD"),
    (Workload("BERT-base", Bert, nn.CrossEntropyLoss(), texts(30522, 128, 2), 32, "texts of 128 tokens"), "AdamW"),
    (Workload("GPT-2 small", GPT2, TokenCrossEntropy(), tokens(50257, 1024), 8, "texts of 1024 tokens"), "AdamW"),
)


class Masters:
    """Updates float32 masters of the 16-bit `parameters`, and rounds them back into these."""

    def __init__(self, parameters: Iterable[nn.Parameter], make: MakeOptimizer) -> None:
        self.parameters = list(parameters)
        self.masters = [parameter.detach().float() for parameter in self.parameters]
        self.optimizer = make(self.masters)

    @torch.no_grad()
    def step(self) -> None:
        for parameter, master in zip(self.parameters, self.masters, strict=True):
            assert parameter.grad is not None, "every weight of these models gets a gradient"
            master.grad, parameter.grad = parameter.grad.float(), None
        self.optimizer.step()
        for parameter, master in zip(self.parameters, self.masters, strict=True):
            parameter.copy_(master)
            master.grad = None


class Step:
    """A training step: call it. The optimizer has made its state before, in an update by gradients of zero.

    Loss scaling is left out: it takes a few bytes.
    """

    def __init__(self, workload: Workload, optimizer: str, way: Way) -> None:
        self.way, self.criterion = way, workload.criterion
        default = torch.get_default_dtype()
        torch.set_default_dtype(way.weights)
        try:
            self.model = workload.model()
            self.batch: Batch = workload.batch(workload.batch_size, "cpu")
        finally:
            torch.set_default_dtype(default)
        parameters, make = list(self.model.parameters()), OPTIMIZERS[optimizer]
        self.masters = Masters(parameters, make) if way.masters else None
        self.optimizer = self.masters.optimizer if self.masters else make(parameters)
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)
        self._update()

    def __call__(self) -> None:
        self.model.zero_grad()
        inputs, targets = self.batch
        with torch.autocast("cpu", self.way.autocast, enabled=self.way.autocast is not None):
            loss = self.criterion(self.model(inputs), targets)
        loss.backward()
        self._update()

    def _update(self) -> None:
        (self.masters or self.optimizer).step()

    def state(self) -> Iterator[Tensor]:
        """What the optimizer keeps from step to step, masters included."""
        yield from self.masters.masters if self.masters else ()
        for kept in self.optimizer.state.values():
            yield from (value for value in kept.values() if isinstance(value, Tensor))


@dataclass(frozen=True)
class Held:
    """What a step holds: its memory, the phase of its peak, and the bytes of each part (timeline.PARTS) at the peak."""

    memory: StepMemory
    phase: str
    parts: dict[str, int]


def held(workload: Workload, optimizer: str, way: Way) -> Held:
    """What a real step holds. The step is made, so let the model be small."""
    step = Step(workload, optimizer, way)
    timeline = Timeline(step.model.parameters(), step.state())
    with timeline, timeline.saved_tensors():
        step()
    moments = timeline.held()
    worst, parts = max(enumerate(zip(*moments.values(), strict=True)), key=lambda moment: sum(moment[1]))
    memory = StepMemory(timeline.peak, timeline.saved_peak)
    return Held(memory, timeline.phases[worst], dict(zip(moments, parts, strict=True)))


def counted(workload: Workload, optimizer: str, way: Way) -> Held:
    """What `held` would find, without computing anything: in about a second, whatever the size."""
    with nothing_computed():
        return held(workload, optimizer, way)
