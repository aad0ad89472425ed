"""Step 3, autocast: what the graded suite makes the code under test do.

Functions are looked up inside the region, by name: a right answer may have replaced them there.
"""

import gc
import operator
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from labkit.observe import Submission, attempt
from labkit.observe.values import Raised

HOMES = {"F": F, "torch": torch, "Tensor": torch.Tensor, "operator": operator, "linalg": torch.linalg}


def call(function: str, args: list, keywords: Mapping[str, object] | None = None, tuples: bool = False) -> object:
    """Calls `function`, named as in "F.linear", and returns its result, or the tensor that it was given as `out`."""
    home, _, name = function.partition(".")
    if tuples:
        args = [tuple(arg) if isinstance(arg, list) else arg for arg in args]
    keywords = keywords or {}
    result = getattr(HOMES[home], name)(*args, **keywords)
    return keywords.get("out", result)


def calls_in_region(lab: Submission, calls: list, dtype: torch.dtype) -> list:
    """What each call gives in a region in `dtype`, or the error that it raises."""
    with lab.Autocast(dtype):
        return [attempt(lambda one=one: call(**one)) for one in calls]


def calls_in_inner_regions(lab: Submission, calls: list, enabled: list, dtype: torch.dtype) -> list:
    """What each call gives in a region of its own, on or off, inside of one that is on."""
    seen = []
    with lab.Autocast(dtype):
        for one, on in zip(calls, enabled, strict=True):
            with lab.Autocast(dtype, on):
                result = attempt(lambda one=one: call(**one))
            seen.append("raised" if isinstance(result, Raised) and not on else result)
    return seen


def linear_in_regions(lab: Submission, x: Tensor, weight: Tensor, dtypes: list, by_keyword: list) -> list:
    """A linear layer in a region of its own in each dtype, which is passed by keyword or by its place."""
    seen = []
    for dtype, keyword in zip(dtypes, by_keyword, strict=True):
        with lab.Autocast(dtype=dtype) if keyword else lab.Autocast(dtype):
            seen.append(F.linear(x, weight))
    return seen


class Tied(nn.Module):
    """A convolution, a norm and two linear layers that share their weight, each around a connection in float32."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        super().__init__()
        self.kernel, self.gain, self.weight, self.bias = (nn.Parameter(weight.clone()) for weight in weights)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.conv1d(x, self.kernel).flatten(1)
        for _ in range(2):
            normed = F.layer_norm(hidden.float(), hidden.shape[1:], self.gain)
            hidden = torch.stack([F.linear(normed, self.weight, self.bias), 0.1 * normed]).sum(dim=0)
        return hidden


def train_tied(
    region: Callable[[], object], weights: Sequence[Tensor], x: Tensor, target: Tensor
) -> dict[str, list | Tensor]:
    """A forward pass of `Tied` in a region, and backward outside of it."""
    model, x = Tied(weights), x.clone().requires_grad_()
    with region():
        loss = F.mse_loss(model(x), target)
    loss.backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    return {
        "loss": loss.detach(),
        "gradients": [*gradients, x.grad],
        "weights": [p.detach() for p in model.parameters()],
    }


def gradients_in_region(lab: Submission, weights: list, x: Tensor, target: Tensor) -> dict:
    """Loss and gradients of `Tied` in a bfloat16 region, those of the input last; weights and input afterwards."""
    return train_tied(lambda: lab.Autocast(torch.bfloat16), weights, x, target)


def callers_list(lab: Submission, tensors: list, dtype: torch.dtype) -> list:
    """The list of two tensors that `torch.einsum` was called with in a region, after the call."""
    with lab.Autocast(dtype):
        torch.einsum("ij,jk->ik", tensors)
    return tensors


def passes_with_gradients_switched(lab: Submission, weight: Tensor, inputs: list, with_gradients: list) -> dict:
    """Linear layers with one weight in one region, gradients on or off for each; then backward of all that have one."""
    parameter = nn.Parameter(weight.clone())
    with lab.Autocast(torch.bfloat16):
        outputs = []
        for x, enabled in zip(inputs, with_gradients, strict=True):
            with torch.set_grad_enabled(enabled):
                outputs.append(F.linear(x, parameter))
    needs = [output.requires_grad for output in outputs]
    losses = [output.float().sum() for output in outputs if output.requires_grad]
    if losses:
        torch.stack(losses).sum().backward()
    return {"requires_grad": needs, "gradient": parameter.grad}


class Casts(TorchDispatchMode):
    """Counts the tensors of another floating point dtype that are made from the float32 memory of `watched` tensors."""

    def __init__(self, watched: Sequence[Tensor]) -> None:
        super().__init__()
        self.places = {tensor.untyped_storage().data_ptr(): index for index, tensor in enumerate(watched)}
        self.counts = [0] * len(watched)
        self.made: dict[
            int, StorageWeakRef
        ] = {}  # the memory of the casts; a key is given again only without its value

    def __torch_dispatch__(
        self, func: Callable[..., object], types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.is_floating_point() and result.dtype != torch.float32:
            made = StorageWeakRef(result.untyped_storage())
            read = [arg.untyped_storage().data_ptr() for arg in args if _is_float32(arg)]
            for place in {self.places[address] for address in read if address in self.places}:
                self.counts[place] += made.cdata not in self.made
                self.made[made.cdata] = made
        return result

    def kept(self) -> int:
        """How many of the casts are there still."""
        return sum(not made.expired() for made in self.made.values())


def _is_float32(value: object) -> bool:
    return isinstance(value, Tensor) and value.dtype == torch.float32


class Interrupt(BaseException):
    """No Exception, as KeyboardInterrupt is none."""


def run_program(lab: Submission, program: Sequence[dict], do: Callable[[dict], object], caught: list) -> None:
    """Runs steps in order. One with a "body" is a region around these steps; `do` runs all others.

    A region with a "failure" ends by an exception of this text, one like Ctrl-C where the text begins with "interrupt";
    `caught` gets what arrived right outside of it.
    """
    open_modes = torch._C._len_torch_function_stack()
    try:
        _run_steps(lab, program, do, caught)
    finally:  # a mode that was left on would make every later test fail
        while torch._C._len_torch_function_stack() > open_modes:
            torch._C._pop_torch_function_stack()


def _run_steps(lab: Submission, program: Sequence[dict], do: Callable[[dict], object], caught: list) -> None:
    for step in program:
        if "body" not in step:
            do(step)
            continue
        try:
            with lab.Autocast(step["dtype"], enabled=step["enabled"]):
                _run_steps(lab, step["body"], do, caught)
                if step["failure"]:
                    raise (Interrupt if step["failure"].startswith("interrupt") else ArithmeticError)(step["failure"])
            caught.append("")
        except (ArithmeticError, Interrupt) as error:
            caught.append(str(error))


def outputs_of_program(lab: Submission, program: list, weight: Tensor) -> dict:
    """The outputs of a linear layer at each step of nested regions, and the exceptions that left the regions."""
    outputs: list[object] = []
    caught: list[str] = []

    def use(step: dict) -> None:
        output = attempt(lambda: F.linear(step["x"], weight))
        outputs.append("raised" if isinstance(output, Raised) and step["x"].shape[-1] != weight.shape[-1] else output)

    run_program(lab, program, use, caught)
    return {"outputs": outputs, "caught": caught}


def casts_of_weights(lab: Submission, programs: list, with_gradients: list, weights: list, x: Tensor) -> list:
    """How often each weight was cast in each of the programs of nested regions, run with gradients or without.

    Every other weight is a `nn.Parameter`; the rest are plain leaf tensors that require a gradient.
    """
    leaves = [weight.clone().requires_grad_() for weight in weights]
    parameters = [nn.Parameter(leaf) if index % 2 else leaf for index, leaf in enumerate(leaves)]
    seen = []
    for program, enabled in zip(programs, with_gradients, strict=True):
        with torch.set_grad_enabled(enabled), Casts(parameters) as casts:
            run_program(lab, program, lambda step: F.linear(x, parameters[step["weight"]]), [])
        seen.append(casts.counts)
    return seen


def casts_of_others(lab: Submission, frozen: list, activations: list, uses: list, x: Tensor) -> list:
    """How often each frozen weight, then each activation, was cast in a region that uses it so many times."""
    leaf = torch.ones((), requires_grad=True, device=x.device)
    with lab.Autocast(torch.bfloat16):
        others = [*(nn.Parameter(one, requires_grad=False) for one in frozen), *(one * leaf for one in activations)]
        with Casts(others) as casts:
            for other, count in zip(others, uses, strict=True):
                for _ in range(count):
                    F.linear(x, other)
    return casts.counts


def passes_with_changed_weight(lab: Submission, weight: Tensor, inputs: list, changes: list) -> dict:
    """In one region: the output for each input, before which the weight is changed, or not; then their gradients."""
    parameter = nn.Parameter(weight.clone())
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    outputs = []
    with lab.Autocast(torch.bfloat16):
        for x, change in zip(inputs, changes, strict=True):
            if change["how"] == "step":
                parameter.grad = change["by"]
                optimizer.step()
            elif change["how"] == "copy":
                with torch.no_grad():
                    parameter.copy_(change["by"])
            elif change["how"] == "turn":
                with torch.no_grad():
                    parameter.copy_(parameter.flip(0))
            with torch.set_grad_enabled(change["gradients"]):
                outputs.append(F.linear(x.requires_grad_(), parameter))
    torch.stack([output.float().sum() for output in outputs if output.requires_grad]).sum().backward()
    return {"outputs": [output.detach() for output in outputs], "gradients": [x.grad for x in inputs]}


def outputs_of_passing_weights(lab: Submission, rounds: list, x: Tensor, frozen: bool) -> list:
    """In one region: the outputs with the weights of each round, which are made for it and freed after it.

    The weights are frozen; or gradients are off, so that no graph keeps them.
    """
    outputs = []
    with lab.Autocast(torch.bfloat16), torch.set_grad_enabled(frozen):
        for weights in rounds:
            parameters = [nn.Parameter(weight.clone(), requires_grad=not frozen) for weight in weights]
            outputs.append([F.linear(x, parameter).detach() for parameter in parameters])
            del parameters
    return outputs


def outputs_of_weights_in_one_memory(lab: Submission, memory: Tensor, x: Tensor, order: list) -> list:
    """In one region: the outputs, in this order, with weights that are views of one square of memory."""
    half = len(memory) // 2
    views = [memory, memory.t(), memory[:half], memory[::2], memory[half:]]
    parameters = [nn.Parameter(view) for view in views]
    with lab.Autocast(torch.bfloat16):
        return [F.linear(x, parameters[index]).detach() for index in order]


def left_after_regions(lab: Submission, weights: list, x: Tensor, regions: list) -> list:
    """After each program of regions has used its weight: is the weight's memory there, and that of how many casts?

    The program runs with gradients or without them, and the caller keeps the weight or drops it.
    """
    seen, kept = [], []
    for weight, region in zip(weights, regions, strict=True):
        parameters = [nn.Parameter(weight.clone())]
        memory = StorageWeakRef(parameters[0].untyped_storage())
        with torch.set_grad_enabled(region["gradients"]), Casts(parameters) as casts:
            run_program(lab, region["program"], lambda step, parameters=parameters: F.linear(x, parameters[0]), [])
        kept += parameters if region["kept"] else []
        parameters.clear()
        if casts.kept():
            gc.collect()  # a right answer may leave cycles
        seen.append([not memory.expired(), casts.kept()])
    return seen
