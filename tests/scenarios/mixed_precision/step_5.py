"""Step 5, many processes: what the graded suite makes the code under test do."""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from labkit.observe import Submission
from scenarios.mixed_precision.common import (
    CRITERIA,
    LinearLoss,
    keep_outputs,
    linear,
    loader,
    new_scaler,
    on_cpu,
    small_model,
)


def wrapped(lab: Submission, strategy: str, model: nn.Module, dtype: torch.dtype) -> nn.Module:
    return lab.wrap_ddp(model) if strategy == "ddp" else lab.wrap_fsdp(model, dtype)


def whole(tensor: Tensor) -> Tensor:
    """A sharded tensor put together; any other as it is."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def shard(tensor: Tensor) -> Tensor:
    """What this rank holds of a tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole_state(model: nn.Module) -> dict:
    return {name.removeprefix("module."): whole(value).clone() for name, value in model.state_dict().items()}


def train_on_ranks(
    lab: Submission,
    strategy: str,
    states: list,
    batches: list,
    dtype: torch.dtype,
    lr: float,
    criterion: str = "cross_entropy",
    scaler: dict | None = None,
    max_grad_norm: float | None = None,
) -> dict:
    """Steps of `train_step` on `batches[step][rank]`, from the weights `states[rank]`; `weights` are the last ones."""
    rank = dist.get_rank()
    model = wrapped(lab, strategy, small_model(states[rank]), dtype)
    trainer = lab.MixedPrecisionTrainer(model, dtype)
    if scaler is not None:
        trainer.scaler = new_scaler(scaler, model)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    limit = {} if max_grad_norm is None else {"max_grad_norm": max_grad_norm}
    seen: dict[str, list] = {"losses": [], "skipped": [], "scales": []}
    for batch in batches:
        loss, skipped = trainer.train_step(on_cpu(batch[rank]), optimizer, CRITERIA[criterion](), **limit)
        seen["losses"].append(loss)
        seen["skipped"].append(skipped)
        seen["scales"].append(trainer.scaler.get_scale())
    return seen | {"weights": whole_state(model)}


def sharded_step(
    lab: Submission,
    weight: Tensor,
    inputs: list,
    targets: list,
    scaler: dict,
    dtype: torch.dtype = torch.float16,
    max_grad_norm: float | None = None,
) -> dict:
    """Steps of `scaled_backward`, lr 1, on a sharded Linear; `inputs[step][rank]`, and targets of the linear loss."""
    rank = dist.get_rank()
    model = lab.wrap_fsdp(nn.Sequential(linear(weight)), dtype)
    scaler = torch.amp.GradScaler(weight.device.type, **scaler)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    seen: dict[str, list] = {"stepped": [], "scales": [], "weights": []}
    for step_inputs, step_targets in zip(inputs, targets, strict=True):
        optimizer.zero_grad()
        loss = LinearLoss()(model(step_inputs[rank]), step_targets[rank])
        seen["stepped"].append(lab.scaled_backward(loss, scaler, optimizer, model, max_grad_norm))
        seen["scales"].append(scaler.get_scale())
        seen["weights"].append(whole(model[0].weight.detach()).clone())
    return seen


def held_by_rank(lab: Submission, strategy: str, state: dict, batch: list) -> dict:
    """What this rank holds, each as one flat tensor: gradients when SGD steps, parameters and momentum afterwards."""
    model = wrapped(lab, strategy, small_model(state), torch.bfloat16)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    held: dict[str, list] = {"gradients": []}
    optimizer.register_step_pre_hook(
        lambda *_: held["gradients"].extend(shard(one.grad).clone() for one in model.parameters())
    )
    lab.MixedPrecisionTrainer(model, torch.bfloat16).train_step(on_cpu(batch), optimizer, nn.CrossEntropyLoss())
    held["parameters"] = [shard(one.detach()) for one in model.parameters()]
    held["momentum"] = [shard(optimizer.state[one]["momentum_buffer"]) for one in model.parameters()]
    return {name: torch.cat([one.reshape(-1) for one in tensors]) for name, tensors in held.items()}


class Positions(nn.Embedding):
    """Adds a learnt vector to each row, by its place."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows + super().forward(torch.arange(len(rows), device=rows.device))


class ComputedIn(TorchFunctionMode):
    """Takes note of the layers' functions that are called, each with the floating dtypes of what it is given."""

    KINDS = (F.linear, F.embedding, F.layer_norm, F.group_norm, F.rms_norm)

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list] = []

    def __torch_function__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = kwargs or {}
        if function in self.KINDS:
            given = [one.dtype for one in (*args, *kwargs.values()) if isinstance(one, Tensor)]
            self.calls.append([function.__name__, [dtype for dtype in given if dtype.is_floating_point]])
        return function(*args, **kwargs)


def sharded_forward(lab: Submission, state: dict, inputs: Tensor, dtype: torch.dtype | None) -> dict:
    """A forward pass of a sharded model outside of any autocast region; None asks for no dtype.

    `hidden` is what its first Linear computes. `computed` are the layers' functions that were called, each with the
    dtypes of its input and parameters. `gathered` counts the layers, sharded as groups of their own, that were gathered
    whenever a layer had computed.
    """
    width = len(state["3.bias"])
    others = [Positions(len(inputs), width), nn.GroupNorm(1, width), nn.RMSNorm(width)]
    model = nn.Sequential(*small_model(state), *others).to(inputs.device)
    model = lab.wrap_fsdp(model, **({} if dtype is None else {"dtype": dtype}))
    outputs = keep_outputs(model[0])
    groups = [layer for layer in model if isinstance(layer, FSDPModule)]
    gathered: list[int] = []
    for layer in model:
        layer.register_forward_hook(lambda *_: gathered.append(sum(map(is_gathered, groups))))
    with ComputedIn() as computed:
        model(inputs)
    return {"hidden": outputs[-1], "computed": computed.calls, "gathered": gathered}


def is_gathered(layer: nn.Module) -> bool:
    return any(not isinstance(parameter, DTensor) for parameter in layer.parameters())


def sharded_gradients(lab: Submission, weight: Tensor, inputs: list, targets: list, dtype: torch.dtype) -> dict:
    """Gradients, averaged over the ranks' linear losses, of two sharded models: a Linear, and a Linear with a norm.

    `weight` is that of the first one's Linear, `shift` that of the second one's bias of the norm.
    """
    rank = dist.get_rank()
    norm = nn.LayerNorm(len(weight), device=weight.device)
    models = [lab.wrap_fsdp(nn.Sequential(linear(weight), *others), dtype) for others in ([], [norm])]
    for model in models:
        LinearLoss()(model(inputs[rank]), targets[rank]).backward()
    return {"weight": whole(models[0][0].weight.grad), "shift": whole(models[1][1].bias.grad)}


def losses_on_ranks(lab: Submission, state: dict, data: list, batch_size: int) -> dict:
    """`train_epoch` (lr 0) and `evaluate` of a DDP model in float32, each rank on its own `data[rank]`."""
    model = lab.wrap_ddp(small_model(state))
    trainer = lab.MixedPrecisionTrainer(model, torch.float32)
    own = loader(data[dist.get_rank()], batch_size)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    trained = trainer.train_epoch(own, optimizer, nn.CrossEntropyLoss())
    return {"train_epoch": trained["loss"], "evaluate": trainer.evaluate(own, nn.CrossEntropyLoss())}


def reductions_in_backward(lab: Submission, state: dict, batches: list) -> dict:
    """How often DDP's backward pass reduces over all ranks, and the gradients that it leaves; in float32."""
    model = lab.wrap_ddp(small_model(state))
    inputs, targets = batches[dist.get_rank()]
    loss = nn.CrossEntropyLoss()(model(inputs), targets)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        loss.backward()
    calls = sum(event.name == "c10d::allreduce_" for event in profile.events())
    return {"calls": calls, "gradients": [parameter.grad for parameter in model.parameters()]}


class WithOwnParameters(nn.Module):
    """A Linear, and a matrix and a gain that belong to no layer but to the model itself."""

    def __init__(self, weight: Tensor, matrix: Tensor, gain: Tensor) -> None:
        super().__init__()
        self.layer = linear(weight)
        self.matrix, self.gain = nn.Parameter(matrix.clone()), nn.Parameter(gain.clone())
        self.product: Tensor | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        self.product = self.layer(inputs) @ self.matrix.T
        return self.product.detach() * 0.0 + self.gain


def own_parameters(
    lab: Submission, weight: Tensor, matrix: Tensor, gain: Tensor, inputs: list, targets: list, dtype: torch.dtype
) -> dict:
    """What a sharded model computes with a matrix of its own, and the averaged gradient of its own gain."""
    rank = dist.get_rank()
    model = lab.wrap_fsdp(WithOwnParameters(weight, matrix, gain), dtype)
    LinearLoss()(model(inputs[rank]), targets[rank]).backward()
    return {"product": model.product.detach(), "gradient": whole(model.gain.grad)}


def state_after_wrapping(lab: Submission, states: list, frozen: list, persistent: list) -> dict:
    """The state of a DDP model right after wrapping, if rank r holds `states[r]`.

    Each state has the weights of Linears of one size, the running mean of a batch norm, and a buffer for the model and
    for each Linear. `frozen` are the Linears that are, `persistent` the buffers that belong to the model's state_dict.
    """
    own = states[dist.get_rank()]
    layers = [linear(weight) for weight in own["weights"]]
    norm = nn.BatchNorm1d(len(own["mean"]), device=own["mean"].device)
    norm.running_mean.copy_(own["mean"])
    model = nn.Sequential(nn.Sequential(*layers), norm)
    for owner, buffer, is_kept in zip([model, *layers], own["buffers"], persistent, strict=True):
        owner.register_buffer("table", buffer.clone(), persistent=is_kept)
    for layer, is_frozen in zip(layers, frozen, strict=True):
        layer.requires_grad_(not is_frozen)
    wrapped_model = lab.wrap_ddp(model)
    parameters, buffers = list(wrapped_model.parameters())[: len(layers)], dict(wrapped_model.named_buffers())
    return {
        "weights": [parameter.detach().clone() for parameter in parameters],
        "trainable": [parameter.requires_grad for parameter in parameters],
        "mean": next(buffer for name, buffer in buffers.items() if name.endswith("running_mean")),
        "buffers": [buffer for name, buffer in buffers.items() if name.endswith("table")],
    }
