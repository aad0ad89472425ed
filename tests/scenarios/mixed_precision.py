"""What the graded suite of Lab 04 makes the code under test do; every scenario reports what happened, as values.

A scenario judges nothing. It builds small models from the tensors that it is given, calls the lab's functions, and
returns numbers, lists and tensors. Inputs arrive on the device under test; models are built there.
"""

import io
import warnings
from collections.abc import Callable, Iterator

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader, Sampler, TensorDataset

from labkit.observe.local import Lab, attempt
from labkit.toolbox.measure import step_memory
from labkit.toolbox.models import SimpleModel

# Step 1: autocast


def linear(weight: Tensor) -> nn.Linear:
    """A Linear without bias that holds `weight` (out, in)."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device=weight.device)
    layer.weight.data.copy_(weight)
    return layer


def keep_outputs(module: nn.Module) -> list[Tensor]:
    """A list that receives every output of `module`."""
    outputs: list[Tensor] = []
    module.register_forward_hook(lambda module, inputs, output: outputs.append(output.detach().clone()))
    return outputs


def forward_in_each(lab: Lab, weight: Tensor, inputs: Tensor, dtypes: list) -> list:
    """What an inner Linear computed when asked for each dtype (None: asked for none), or the error that it gave."""
    inner = linear(weight)
    model = nn.Sequential(nn.Identity(), inner)

    def output_in(dtype: torch.dtype | None) -> Tensor:
        outputs = keep_outputs(inner)
        lab.mixed_precision_forward(model, inputs, **({} if dtype is None else {"dtype": dtype}))
        return outputs[-1]

    return [attempt(lambda dtype=dtype: output_in(dtype)) for dtype in dtypes]


def forward_returns(lab: Lab, weight: Tensor, inputs: Tensor, dtype: torch.dtype) -> Tensor:
    """The output that comes back."""
    return lab.mixed_precision_forward(linear(weight), inputs, dtype).detach()


class ScaleThenLinear(nn.Module):
    """Multiplies by a float32 vector, outside of autocast's lists, then by a matrix."""

    def __init__(self, scale: Tensor, weight: Tensor) -> None:
        super().__init__()
        self.scale = nn.Parameter(scale.clone())
        self.linear = linear(weight)
        self.scaled: Tensor | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        self.scaled = inputs * self.scale
        return self.linear(self.scaled)


def forward_with_elementwise(lab: Lab, scale: Tensor, weight: Tensor, inputs: Tensor, dtype: torch.dtype) -> dict:
    """What the elementwise product and the Linear behind it computed."""
    model = ScaleThenLinear(scale, weight)
    outputs = keep_outputs(model.linear)
    lab.mixed_precision_forward(model, inputs, dtype)
    return {"scaled": model.scaled.detach(), "linear": outputs[-1]}


def forward_leaves_behind(lab: Lab, weights: list, modes: list, inputs: Tensor, dtype: torch.dtype) -> dict:
    """Weights after a forward pass, and the training mode of each layer during it and after it."""
    model = nn.Sequential(*(linear(weight) for weight in weights))
    during: list[bool] = []
    for layer, mode in zip(model, modes, strict=True):
        layer.train(mode)
        layer.register_forward_hook(lambda layer, inputs, output: during.append(layer.training))
    lab.mixed_precision_forward(model, inputs, dtype)
    return {
        "weights": [layer.weight.detach() for layer in model],
        "during": during,
        "after": [layer.training for layer in model],
    }


def forward_gradients(lab: Lab, weights: list, inputs: Tensor, cotangent: Tensor, dtype: torch.dtype) -> list:
    """The gradients of the weights, and of the inputs, when `cotangent` flows back into the output."""
    model = nn.Sequential(*(linear(weight) for weight in weights))
    inputs.requires_grad_()
    output = lab.mixed_precision_forward(model, inputs, dtype)
    output.backward(cotangent.to(output.dtype))
    return [*(layer.weight.grad for layer in model), inputs.grad]


class Failing(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        raise RuntimeError("this layer always fails")


def products_after_forward(lab: Lab, weight: Tensor, inputs: list, fails: list, dtype: torch.dtype) -> list:
    """After each forward pass, which fails where `fails` says so: a matrix product that nobody asked to autocast."""
    products = []
    for batch, fail in zip(inputs, fails, strict=True):
        model = nn.Sequential(linear(weight), Failing() if fail else nn.Identity())
        attempt(lambda model=model, batch=batch: lab.mixed_precision_forward(model, batch, dtype))
        products.append(batch @ weight.T)
    torch.set_autocast_enabled(weight.device.type, False)
    return products


def products_around_forward(lab: Lab, weight: Tensor, inputs: Tensor, outer: torch.dtype, dtype: torch.dtype) -> dict:
    """Matrix products in the caller's region (in `outer`) after a forward pass, and in one of the default dtype."""
    device = weight.device.type
    default = torch.get_autocast_dtype(device)
    torch.set_autocast_dtype(device, outer)
    try:
        with torch.autocast(device, dtype=outer):
            lab.mixed_precision_forward(linear(weight), inputs, dtype)
            inside = inputs @ weight.T
        with torch.autocast(device):
            afterwards = inputs @ weight.T
    finally:
        torch.set_autocast_dtype(device, default)
    return {"inside": inside, "afterwards": afterwards}


def token_ids_seen(lab: Lab, table: Tensor, weight: Tensor, tokens: Tensor, dtype: torch.dtype) -> dict:
    """The token ids that reach an embedding layer, and the output of the Linear behind it."""
    model = nn.Sequential(nn.Embedding.from_pretrained(table, freeze=False), linear(weight))
    seen: list[Tensor] = []
    model[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    outputs = keep_outputs(model[1])
    lab.mixed_precision_forward(model, tokens, dtype)
    return {"tokens": seen[-1], "linear": outputs[-1]}


# Step 2: loss scaling


def scalers(lab: Lab, settings: list, loss: Tensor) -> list:
    """For each dict of settings: the scaler's state, and what it makes of `loss`; then its scale is set to 1."""
    made = [lab.create_grad_scaler(**one) for one in settings]
    seen = []
    for scaler in made:
        seen.append({"state": dict(scaler.state_dict()), "scaled": scaler.scale(loss)})
        scaler.update(1.0)
    return seen


def scalers_on(lab: Lab, devices: list, loss: Tensor, init_scale: float) -> list:
    """For each device: what a scaler made for it makes of `loss`, a loss on the CPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a scaler for a device that is not there warns that it is off
        made = [lab.create_grad_scaler(init_scale=init_scale, device=device) for device in devices]
    return [scaler.scale(loss.cpu()) for scaler in made]


class GivenGradient(torch.autograd.Function):
    """A loss with this value, whose gradient with respect to `weight` is `gradient`, whatever `weight` is."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, weight: Tensor, gradient: Tensor, loss: float) -> Tensor:
        ctx.save_for_backward(gradient)
        ctx.dtype = weight.dtype
        return torch.tensor(loss, device=weight.device)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, upstream: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return (gradient * upstream).to(ctx.dtype), None, None


def given_loss(parameters: list, gradients: list, loss: float) -> Tensor:
    """A loss of value `loss` with these gradients; a parameter whose gradient is None has no part in it."""
    pairs = [(p, gradient) for p, gradient in zip(parameters, gradients, strict=True) if gradient is not None]
    return sum(GivenGradient.apply(p, gradient, loss / len(pairs)) for p, gradient in pairs)


def make_optimizer(name: str, parameters: list, lr: float) -> torch.optim.Optimizer:
    """An optimizer with a parameter group for each parameter."""
    groups = [{"params": [parameter]} for parameter in parameters]
    kinds: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "sgd": torch.optim.SGD,
        "decay": lambda p, lr: torch.optim.SGD(p, lr=lr, weight_decay=0.25),
        "momentum": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.5),
        "adam": lambda p, lr: torch.optim.Adam(p, lr=lr),
    }
    return kinds[name](groups, lr=lr)


def backward_steps(
    lab: Lab,
    weights: list,
    gradients: list,
    scaler: dict,
    losses: list | None = None,
    max_grad_norm: float | None = None,
    optimizer: str = "sgd",
    earlier: list | None = None,
) -> dict:
    """Steps of `scaled_backward` with lr 1 on losses whose true gradients are `gradients[step][parameter]`.

    A parameter whose gradient is None in the first step is frozen. `earlier` are gradients of a micro-batch that was
    accumulated before every step. Reports of every step what was returned, the loss scale, the weights, the gradients
    that were left and the optimizer's state.
    """
    model = nn.ParameterList(weight.clone() for weight in weights)
    for parameter, gradient in zip(model, gradients[0], strict=True):
        parameter.requires_grad_(gradient is not None)
    trainable = [parameter for parameter in model if parameter.requires_grad]
    optim = make_optimizer(optimizer, trainable, lr=1.0)
    grad_scaler = torch.amp.GradScaler(weights[0].device.type, **scaler)
    seen: dict[str, list] = {"stepped": [], "scales": [], "weights": [], "gradients": [], "state": []}
    for step, step_gradients in enumerate(gradients):
        optim.zero_grad()
        if earlier is not None:
            grad_scaler.scale(given_loss(list(model), earlier, 1.0)).backward()
        loss = given_loss(list(model), step_gradients, losses[step] if losses else 1.0)
        limit = {} if max_grad_norm is None else {"max_grad_norm": max_grad_norm}
        seen["stepped"].append(lab.scaled_backward(loss, grad_scaler, optim, model, **limit))
        seen["scales"].append(grad_scaler.get_scale())
        seen["weights"].append([parameter.detach().clone() for parameter in model])
        seen["gradients"].append([None if p.grad is None else p.grad.clone() for p in model])
        seen["state"].append([_plain(optim.state.get(parameter, {})) for parameter in trainable])
    return seen


def _plain(state: dict) -> dict:
    return {name: value.clone() for name, value in state.items() if isinstance(value, Tensor)}


def backward_through_half(lab: Lab, gradient: Tensor, init_scale: float) -> dict:
    """One step with lr 1 on a loss whose true gradient passes through a float16 tensor on its way to the weight."""
    weight = nn.Parameter(torch.zeros_like(gradient))
    model = nn.ParameterList([weight])
    scaler = torch.amp.GradScaler(gradient.device.type, init_scale=init_scale)
    loss = GivenGradient.apply(weight.half(), gradient, 1.0)
    lab.scaled_backward(loss, scaler, torch.optim.SGD(model, lr=1.0), model)
    return {"moved": -weight.detach()}


# Step 3: the trainer


def small_model(state: dict) -> SimpleModel:
    """A SimpleModel with the weights of `state`, sized after them (4 tensors a block, 2 for the last Linear)."""
    first, last = state["0.weight"], list(state.values())[-1]
    model = SimpleModel(first.shape[1], first.shape[0], len(last), num_layers=(len(state) - 2) // 4).to(first.device)
    model.load_state_dict(state)
    return model


class LinearLoss(nn.Module):
    """The mean over samples of <output, target>: its gradients are the targets, however small it is itself."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs * targets).sum(dim=-1).mean()


CRITERIA = {"cross_entropy": nn.CrossEntropyLoss, "linear": LinearLoss}


def on_cpu(batch: list) -> tuple[Tensor, Tensor]:
    return batch[0].cpu(), batch[1].cpu()


def new_scaler(settings: dict, model: nn.Module) -> torch.amp.GradScaler:
    return torch.amp.GradScaler(next(model.parameters()).device.type, **settings)


def trainers_of(lab: Lab, state: dict, loss: Tensor, asked: list) -> list:
    """For each {"dtype", "use_scaler"} that is asked for: what the trainer's scaler makes of `loss`, or the error."""
    return [
        attempt(lambda one=one: lab.MixedPrecisionTrainer(small_model(state), **one).scaler.scale(loss))
        for one in asked
    ]


def train_steps(
    lab: Lab,
    state: dict,
    batches: list,
    dtype: torch.dtype,
    lr: float,
    criterion: str = "cross_entropy",
    scalers: dict | None = None,
    max_grad_norm: float | None = None,
    stale: float = 0.0,
    optimizer: str = "sgd",
) -> dict:
    """Steps of `train_step`; `scalers[step]` are settings of a scaler that is assigned before that step.

    `stale` is the value of gradients that somebody left in the parameters before the first step.
    """
    model = small_model(state)
    trainer = lab.MixedPrecisionTrainer(model, dtype)
    optim = make_optimizer(optimizer, list(model.parameters()), lr)
    outputs = keep_outputs(model[0])
    if stale:
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, stale)
    seen: dict[str, list] = {"losses": [], "skipped": [], "scales": [], "hidden": [], "weights": []}
    limit = {} if max_grad_norm is None else {"max_grad_norm": max_grad_norm}
    for step, batch in enumerate(batches):
        if scalers and str(step) in scalers:
            trainer.scaler = new_scaler(scalers[str(step)], model)
        loss, skipped = trainer.train_step(on_cpu(batch), optim, CRITERIA[criterion](), **limit)
        seen["losses"].append(loss)
        seen["skipped"].append(skipped)
        seen["scales"].append(trainer.scaler.get_scale())
        seen["hidden"].append(outputs[-1])
        seen["weights"].append({name: value.clone() for name, value in model.state_dict().items()})
    return seen


def losses_and_outputs(lab: Lab, state: dict, batch: list, dtype: torch.dtype) -> dict:
    """The losses that `train_step` (lr 0) and `evaluate` report for one batch, and the outputs that they are of."""
    model = small_model(state)
    trainer = lab.MixedPrecisionTrainer(model, dtype)
    outputs = keep_outputs(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    stepped = trainer.train_step(on_cpu(batch), optimizer, nn.CrossEntropyLoss())
    evaluated = trainer.evaluate(loader(batch, len(batch[1])), nn.CrossEntropyLoss())
    return {"train_step": stepped[0], "evaluate": evaluated, "outputs": [outputs[0], outputs[-1]]}


class Noticing(nn.Module):
    """Passes its input on and notes the training mode, and whether gradients are being recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.modes: list[bool] = []
        self.recording: list[bool] = []

    def forward(self, inputs: Tensor) -> Tensor:
        self.modes.append(self.training)
        self.recording.append(torch.is_grad_enabled())
        return inputs


def noticing_model(weight: Tensor) -> tuple[nn.Sequential, Noticing]:
    """Linear, batch norm and dropout (both behave differently in training), and a layer that takes note."""
    noticing = Noticing()
    norm = nn.BatchNorm1d(weight.shape[0], device=weight.device)
    return nn.Sequential(linear(weight), norm, nn.Dropout(0.5), noticing), noticing


def modes_in_steps(lab: Lab, weight: Tensor, batches: list, modes: list, dtype: torch.dtype) -> dict:
    """The training mode that each train_step runs in, when somebody has set it to `modes[step]` before."""
    model, noticing = noticing_model(weight)
    trainer = lab.MixedPrecisionTrainer(model, dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    for batch, mode in zip(batches, modes, strict=True):
        model.train(mode)
        trainer.train_step(on_cpu(batch), optimizer, nn.CrossEntropyLoss())
    return {"modes": noticing.modes, "running_mean": model[1].running_mean}


def loader(data: list, batch_size: int, sampler: Sampler | None = None) -> DataLoader:
    """Batches of (inputs, targets) in order, on the CPU; the last one may be short, and no data gives no batch."""
    return DataLoader(TensorDataset(*on_cpu(data)), batch_size=batch_size, sampler=sampler)


class ToldSampler(Sampler):
    """In order; notes the epoch that it was told last whenever an iteration over it begins."""

    def __init__(self, size: int) -> None:
        self.size, self.epoch = size, -1
        self.epochs: list[int] = []

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        self.epochs.append(self.epoch)
        return iter(range(self.size))


def train_epochs(
    lab: Lab,
    state: dict,
    epochs: list,
    batch_size: int,
    dtype: torch.dtype,
    lr: float,
    criterion: str = "cross_entropy",
    scaler: dict | None = None,
    max_grad_norm: float | None = None,
    numbers: list | None = None,
) -> dict:
    """`train_epoch` on each of `epochs`, which are [inputs, targets]; `numbers` are the epochs for a sampler."""
    model = small_model(state)
    trainer = lab.MixedPrecisionTrainer(model, dtype)
    if scaler is not None:
        trainer.scaler = new_scaler(scaler, model)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    sampler = None if numbers is None else ToldSampler(len(epochs[0][0]))
    results = []
    for index, data in enumerate(epochs):
        more = {} if max_grad_norm is None else {"max_grad_norm": max_grad_norm}
        if numbers is not None:
            more |= {"sampler": sampler, "epoch": numbers[index]}
        call = (loader(data, batch_size, sampler), optimizer, CRITERIA[criterion]())
        result = attempt(lambda call=call, more=more: trainer.train_epoch(*call, **more))
        results.append({**result} if isinstance(result, dict) else result)
    return {
        "results": results,
        "told": [] if sampler is None else sampler.epochs,
        "scale": trainer.scaler.get_scale(),
        "weights": dict(model.state_dict()),
    }


def evaluations(
    lab: Lab, state: dict, sets: list, batch_size: int, dtype: torch.dtype, criterion: str = "cross_entropy"
) -> dict:
    """`evaluate` on each of `sets`, which are [inputs, targets]; and what the first layer computed last."""
    model = small_model(state)
    trainer = lab.MixedPrecisionTrainer(model, dtype)
    outputs = keep_outputs(model[0])
    measure = CRITERIA[criterion]()
    losses = [attempt(lambda data=data: trainer.evaluate(loader(data, batch_size), measure)) for data in sets]
    return {"losses": losses, "hidden": outputs[-1] if outputs else None}


def evaluation_leaves_behind(lab: Lab, weight: Tensor, data: list, modes: list, dtype: torch.dtype) -> dict:
    """Modes during and after evaluations that begin in `modes`; what they changed; whether gradients were recorded.

    The batch norm's two parameters are frozen.
    """
    model, noticing = noticing_model(weight)
    model[1].requires_grad_(False)
    model[1].running_mean.copy_(weight[:, 0])
    trainer = lab.MixedPrecisionTrainer(model, dtype)
    after = []
    for mode in modes:
        model.train(mode)
        trainer.evaluate(loader(data, 3), nn.CrossEntropyLoss())
        after.append(model.training)
    return {
        "during": noticing.modes,
        "recording": noticing.recording,
        "after": after,
        "weight": model[0].weight.detach(),
        "running_mean": model[1].running_mean,
        "trainable": [parameter.requires_grad for parameter in model.parameters()],
    }


def scaler_states(lab: Lab, state: dict, batches: list, settings: list) -> list:
    """`get_scaler_state` of float16 trainers whose scalers have these settings, after a step on each batch."""
    states = []
    for one in settings:
        model = small_model(state)
        trainer = lab.MixedPrecisionTrainer(model, torch.float16)
        trainer.scaler = new_scaler(one, model)
        for batch in batches:
            trainer.train_step(on_cpu(batch), torch.optim.SGD(model.parameters(), lr=0.0), LinearLoss())
        states.append({**trainer.get_scaler_state()})
    return states


def through_a_file(state: dict) -> dict:
    """`state` as a checkpoint file gives it back; such a file holds no objects, only tensors and plain values."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def restored_buffers(lab: Lab, weight: Tensor, batches: list) -> Tensor:
    """The running mean of a batch norm that was trained, saved, and loaded into a new model."""
    model, _ = noticing_model(weight)
    trainer = lab.MixedPrecisionTrainer(model, torch.bfloat16)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    for batch in batches:
        trainer.train_step(on_cpu(batch), optimizer, nn.CrossEntropyLoss())
    other, _ = noticing_model(weight)
    lab.MixedPrecisionTrainer(other, torch.bfloat16).load_state_dict(through_a_file(trainer.state_dict()))
    return other[1].running_mean


def interrupted_training(lab: Lab, state: dict, batches: list, stop: int, scaler: dict, lr: float) -> dict:
    """float16 training that is stopped after `stop` steps, saved, and continued by a new trainer with a new model."""

    def run(trainer: object, model: nn.Module, part: list) -> list:
        optimizer = torch.optim.SGD(model.parameters(), lr=lr)
        return [trainer.train_step(on_cpu(batch), optimizer, LinearLoss())[1] for batch in part]

    model = small_model(state)
    trainer = lab.MixedPrecisionTrainer(model, torch.float16)
    trainer.scaler = new_scaler(scaler, model)
    skipped = run(trainer, model, batches[:stop])
    saved = through_a_file(trainer.state_dict())
    resumed_model = small_model({name: torch.zeros_like(value) for name, value in state.items()})
    resumed = lab.MixedPrecisionTrainer(resumed_model, torch.float16)
    resumed.load_state_dict(saved)
    skipped += run(resumed, resumed_model, batches[stop:])
    return {
        "skipped": skipped,
        "weights": dict(resumed_model.state_dict()),
        "scaler": dict(resumed.scaler.state_dict()),
    }


def milestone(lab: Lab, state: dict, images: Tensor, labels: Tensor, order: Tensor, init_scale: float) -> dict:
    """float16 training on digits, batch after batch as `order` (steps, batch size) says; memory against float32."""
    model = small_model(state)
    trainer = lab.MixedPrecisionTrainer(model, torch.float16)
    trainer.scaler = new_scaler({"init_scale": init_scale}, model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    criterion = nn.CrossEntropyLoss()
    steps = [trainer.train_step((images[rows], labels[rows]), optimizer, criterion) for rows in order]
    peaks = {}
    for name, dtype in (("float16", torch.float16), ("float32", torch.float32)):
        other = small_model(state)
        measured = lab.MixedPrecisionTrainer(other, dtype)
        optim = torch.optim.AdamW(other.parameters(), lr=2e-3)
        batch = (images[order[0]], labels[order[0]])
        step = step_memory(lambda m=measured, b=batch, o=optim: m.train_step(b, o, criterion), images.device)
        peaks[name] = step.peak_bytes
    return {
        "losses": [loss for loss, _ in steps],
        "skipped": [skipped for _, skipped in steps],
        "scale": trainer.scaler.get_scale(),
        "weights": dict(model.state_dict()),
        "peak_bytes": peaks,
    }


# Step 4: operations that stay in float32


def in_region(device: str, region: torch.dtype | None) -> torch.autocast:
    """An autocast region in dtype `region`; None switches autocast off."""
    return torch.autocast(device, dtype=region or torch.float16, enabled=region is not None)


def layer_norm(lab: Lab, x: Tensor, shape: object, arguments: dict, region: torch.dtype | None = None) -> Tensor:
    """`fp32_layer_norm` of `x`, inside an autocast region of dtype `region` where one is given."""
    shape = tuple(shape) if isinstance(shape, list) else shape
    with in_region(x.device.type, region):
        return lab.fp32_layer_norm(x, shape, **arguments)


def softmax(lab: Lab, x: Tensor, arguments: dict, region: torch.dtype | None = None) -> Tensor:
    """`fp32_softmax` of `x`, inside an autocast region of dtype `region` where one is given."""
    with in_region(x.device.type, region):
        return lab.fp32_softmax(x, **arguments)


def cross_entropy(
    lab: Lab, logits: Tensor, target: Tensor, arguments: dict, region: torch.dtype | None = None
) -> Tensor:
    """`fp32_cross_entropy` of `logits`, inside an autocast region of dtype `region` where one is given."""
    with in_region(logits.device.type, region):
        return lab.fp32_cross_entropy(logits, target, **arguments)


def sensitive_gradients(lab: Lab, x: Tensor, cotangent: Tensor, target: Tensor, weight: Tensor) -> dict:
    """The gradients with respect to x of all three operations, and of layer norm's weight and bias."""
    gradients = {}
    for name in ("layer_norm", "softmax", "cross_entropy"):
        leaf, gain = x.clone().requires_grad_(), weight.clone().requires_grad_()
        if name == "layer_norm":
            bias = torch.zeros_like(weight).requires_grad_()
            (lab.fp32_layer_norm(leaf, x.shape[-1], weight=gain, bias=bias) * cotangent).sum().backward()
            gradients |= {"weight": gain.grad, "bias": bias.grad}
        elif name == "softmax":
            (lab.fp32_softmax(leaf) * cotangent).sum().backward()
        else:
            lab.fp32_cross_entropy(leaf, target).backward()
        gradients[name] = leaf.grad
    return gradients


# Step 5: many processes; every rank runs the scenario, and reports what it sees


def wrapped(lab: Lab, strategy: str, model: nn.Module, dtype: torch.dtype) -> nn.Module:
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
    lab: Lab,
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


def sharded_step(lab: Lab, weight: Tensor, inputs: list, targets: list, init_scale: float) -> dict:
    """Steps of `scaled_backward`, lr 1, on a sharded Linear; `inputs[step][rank]`, and targets of the linear loss."""
    rank = dist.get_rank()
    model = lab.wrap_fsdp(nn.Sequential(linear(weight)), torch.float16)
    scaler = torch.amp.GradScaler(weight.device.type, init_scale=init_scale)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    seen: dict[str, list] = {"stepped": [], "scales": [], "weights": []}
    for step_inputs, step_targets in zip(inputs, targets, strict=True):
        optimizer.zero_grad()
        loss = LinearLoss()(model(step_inputs[rank]), step_targets[rank])
        seen["stepped"].append(lab.scaled_backward(loss, scaler, optimizer, model))
        seen["scales"].append(scaler.get_scale())
        seen["weights"].append(whole(model[0].weight.detach()).clone())
    return seen


def held_by_rank(lab: Lab, strategy: str, state: dict, batch: list) -> dict:
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


def sharded_forward(lab: Lab, state: dict, inputs: Tensor, dtype: torch.dtype | None) -> Tensor:
    """What the first Linear of a sharded model computes outside of any autocast region; None asks for no dtype."""
    model = lab.wrap_fsdp(small_model(state), **({} if dtype is None else {"dtype": dtype}))
    outputs = keep_outputs(model[0])
    model(inputs)
    return outputs[-1]


def sharded_gradient(lab: Lab, weight: Tensor, inputs: list, targets: list, dtype: torch.dtype) -> Tensor:
    """The gradient of a sharded Linear's weight, averaged over the ranks' linear losses."""
    rank = dist.get_rank()
    model = lab.wrap_fsdp(nn.Sequential(linear(weight)), dtype)
    LinearLoss()(model(inputs[rank]), targets[rank]).backward()
    return whole(model[0].weight.grad)


def losses_on_ranks(lab: Lab, state: dict, data: list, batch_size: int) -> dict:
    """`train_epoch` (lr 0) and `evaluate` of a DDP model in float32, each rank on its own `data[rank]`."""
    model = lab.wrap_ddp(small_model(state))
    trainer = lab.MixedPrecisionTrainer(model, torch.float32)
    own = loader(data[dist.get_rank()], batch_size)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    trained = trainer.train_epoch(own, optimizer, nn.CrossEntropyLoss())
    return {"train_epoch": trained["loss"], "evaluate": trainer.evaluate(own, nn.CrossEntropyLoss())}


def reductions_in_backward(lab: Lab, state: dict, batches: list) -> dict:
    """How often DDP's backward pass reduces over all ranks, and the gradients that it leaves; in float32."""
    model = lab.wrap_ddp(small_model(state))
    inputs, targets = batches[dist.get_rank()]
    loss = nn.CrossEntropyLoss()(model(inputs), targets)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        loss.backward()
    calls = sum(event.name == "c10d::allreduce_" for event in profile.events())
    return {"calls": calls, "gradients": [parameter.grad for parameter in model.parameters()]}
