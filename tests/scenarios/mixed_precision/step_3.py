"""Step 3, the trainer: what the graded suite makes the code under test do."""

import io
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.utils.data import Sampler

from labkit.observe import Submission, attempt
from labkit.toolbox.measure import step_memory
from scenarios.mixed_precision.common import (
    CRITERIA,
    LinearLoss,
    keep_outputs,
    linear,
    loader,
    make_optimizer,
    new_scaler,
    on_cpu,
    optimizer_state,
    small_model,
)


def trainers_of(lab: Submission, state: dict, loss: Tensor, asked: list) -> list:
    """For each {"dtype", "use_scaler"} that is asked for: what the trainer's scaler makes of `loss`, or the error."""
    return [
        attempt(lambda one=one: lab.MixedPrecisionTrainer(small_model(state), **one).scaler.scale(loss))
        for one in asked
    ]


def train_steps(
    lab: Submission,
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
    seen: dict[str, list] = {"losses": [], "skipped": [], "scales": [], "hidden": [], "weights": [], "state": []}
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
        seen["state"].append(optimizer_state(optim))
    return seen


def losses_and_outputs(lab: Submission, state: dict, batch: list, dtype: torch.dtype, function: str) -> dict:
    """The loss that `train_step` (lr 0) or `evaluate` reports for one batch, and the outputs that it is of."""
    model = small_model(state)
    trainer = lab.MixedPrecisionTrainer(model, dtype)
    outputs = keep_outputs(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    if function == "train_step":
        loss, _ = trainer.train_step(on_cpu(batch), optimizer, nn.MSELoss())
    else:
        loss = trainer.evaluate(loader(batch, len(batch[1])), nn.MSELoss())
    return {"loss": loss, "outputs": outputs[-1]}


class TurnedBackward(torch.autograd.Function):
    """Passes its input on; on the way back the gradient is multiplied by a float32 matrix."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, inputs: Tensor, matrix: Tensor) -> Tensor:
        ctx.save_for_backward(matrix)
        return inputs.clone()

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, upstream: Tensor) -> tuple[Tensor, None]:
        (matrix,) = ctx.saved_tensors
        return (upstream @ matrix).float(), None


class Turning(nn.Module):
    """float32 all the way forward: inputs x gain, elementwise; backward there is a matrix product on the way."""

    def __init__(self, gain: Tensor, matrix: Tensor) -> None:
        super().__init__()
        self.gain, self.matrix = nn.Parameter(gain.clone()), matrix

    def forward(self, inputs: Tensor) -> Tensor:
        return TurnedBackward.apply(inputs * self.gain, self.matrix)


def products_in_backward(lab: Submission, gain: Tensor, matrix: Tensor, batches: list, dtype: torch.dtype) -> list:
    """What the gain moved by in steps with lr 1, each of a new model, whose backward pass has a matrix product."""
    moves = []
    for batch in batches:
        model = Turning(gain, matrix)
        trainer = lab.MixedPrecisionTrainer(model, dtype)
        trainer.scaler = new_scaler({"init_scale": 256.0, "enabled": dtype == torch.float16}, model)
        trainer.train_step(on_cpu(batch), torch.optim.SGD(model.parameters(), lr=1.0), LinearLoss())
        moves.append(gain - model.gain.detach())
    return moves


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


def modes_in_steps(lab: Submission, weight: Tensor, batches: list, modes: list, dtype: torch.dtype) -> dict:
    """The training mode that each train_step runs in, when somebody has set it to `modes[step]` before."""
    model, noticing = noticing_model(weight)
    trainer = lab.MixedPrecisionTrainer(model, dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    for batch, mode in zip(batches, modes, strict=True):
        model.train(mode)
        model.training = not mode  # the layers' modes differ from the model's own
        trainer.train_step(on_cpu(batch), optimizer, nn.CrossEntropyLoss())
    return {"modes": noticing.modes, "running_mean": model[1].running_mean}


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
    lab: Submission,
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
    """`train_epoch` on each of `epochs`, which are [inputs, targets]; `numbers` are the epochs for a sampler.

    A number that is None is not passed on.
    """
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
            more |= {"sampler": sampler} | ({} if numbers[index] is None else {"epoch": numbers[index]})
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
    lab: Submission, state: dict, sets: list, batch_size: int, dtype: torch.dtype, criterion: str = "cross_entropy"
) -> dict:
    """`evaluate` on each of `sets`, which are [inputs, targets]; and what the first layer computed last."""
    model = small_model(state)
    trainer = lab.MixedPrecisionTrainer(model, dtype)
    outputs = keep_outputs(model[0])
    measure = CRITERIA[criterion]()
    losses = [attempt(lambda data=data: trainer.evaluate(loader(data, batch_size), measure)) for data in sets]
    return {"losses": losses, "hidden": outputs[-1] if outputs else None}


def single_passes(lab: Submission, state: dict, batches: list, dtype: torch.dtype) -> dict:
    """The losses of evaluate and train_epoch (lr 0) on generators of `batches`, which are gone through once only."""
    model = small_model(state)
    trainer = lab.MixedPrecisionTrainer(model, dtype)
    optimizer, criterion = torch.optim.SGD(model.parameters(), lr=0.0), CRITERIA["linear"]()
    epoch = trainer.train_epoch((tuple(batch) for batch in batches), optimizer, criterion)
    return {"evaluate": trainer.evaluate((tuple(batch) for batch in batches), criterion), "train_epoch": epoch["loss"]}


def evaluation_leaves_behind(lab: Submission, weight: Tensor, data: list, modes: list, dtype: torch.dtype) -> dict:
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


def scaler_states(lab: Submission, state: dict, batches: list, settings: list, trackers: list) -> list:
    """`get_scaler_state` of float16 trainers whose scalers have these settings, after steps on `batches[i]`.

    A trainer with a number in `trackers` makes one more step first, and then loads a state of that growth tracker
    and half the scale.
    """
    states = []
    for part, one, tracker in zip(batches, settings, trackers, strict=True):
        model = small_model(state)
        trainer = lab.MixedPrecisionTrainer(model, torch.float16)
        trainer.scaler = new_scaler(one, model)
        if tracker is not None:
            saved = {**trainer.state_dict()}
            saved["scaler"] = {**saved["scaler"], "scale": saved["scaler"]["scale"] / 2, "_growth_tracker": tracker}
            trainer.train_step(on_cpu(part[0]), torch.optim.SGD(model.parameters(), lr=0.0), LinearLoss())
            trainer.load_state_dict(saved)
        for batch in part:
            trainer.train_step(on_cpu(batch), torch.optim.SGD(model.parameters(), lr=0.0), LinearLoss())
        states.append({**trainer.get_scaler_state()})
    return states


def through_a_file(state: dict) -> dict:
    """`state` as a checkpoint file gives it back; such a file holds no objects, only tensors and plain values."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def restored_buffers(lab: Submission, weight: Tensor, batches: list) -> Tensor:
    """The running mean of a batch norm that was trained, saved, and loaded into a new model."""
    model, _ = noticing_model(weight)
    trainer = lab.MixedPrecisionTrainer(model, torch.bfloat16)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    for batch in batches:
        trainer.train_step(on_cpu(batch), optimizer, nn.CrossEntropyLoss())
    saved = through_a_file(trainer.state_dict())
    for _ in range(2):  # a state may be loaded more than once
        other, _ = noticing_model(weight)
        lab.MixedPrecisionTrainer(other, torch.bfloat16).load_state_dict(saved)
    return other[1].running_mean


def interrupted_training(lab: Submission, state: dict, batches: list, stop: int, scaler: dict, lr: float) -> dict:
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


def milestone(
    lab: Submission, state: dict, images: Tensor, labels: Tensor, order: Tensor, many: Tensor, init_scale: float
) -> dict:
    """float16 training on digits, batch after batch as `order` (steps, batch size) says; memory against float32 of a
    batch of `many`, whose activations outweigh the model.
    """
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
        batch = (images[many], labels[many])
        step = step_memory(lambda m=measured, b=batch, o=optim: m.train_step(b, o, criterion), images.device)
        peaks[name] = step.peak_bytes
    return {
        "losses": [loss for loss, _ in steps],
        "skipped": [skipped for _, skipped in steps],
        "scale": trainer.scaler.get_scale(),
        "weights": dict(model.state_dict()),
        "peak_bytes": peaks,
    }


class FailingLoss(nn.Module):
    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        raise RuntimeError("this criterion always fails")


class FailingNow(nn.Module):
    """Passes its input on, and raises where `fails` is set."""

    fails = False

    def forward(self, inputs: Tensor) -> Tensor:
        if self.fails:
            raise RuntimeError("this layer fails now")
        return inputs


def modes_after_evaluation(lab: Submission, weight: Tensor, data: list, modes: list, endings: list) -> list:
    """The mode of every submodule after evaluations that begin in `modes[i]` and end as `endings[i]` says.

    An ending is "returns", "model", "criterion" (which raise) or "empty", for a loader without a batch.
    """
    after = []
    for given, ending in zip(modes, endings, strict=True):
        dropout = nn.Dropout(0.5)  # two modules share it
        model = nn.Sequential(
            noticing_model(weight)[0], nn.Sequential(dropout, FailingNow()), nn.Sequential(dropout, nn.Identity())
        )
        trainer = lab.MixedPrecisionTrainer(model, torch.bfloat16)
        modules = list(model.modules())
        for module, mode in zip(modules, given, strict=True):
            module.training = mode
        model[1][1].fails = ending == "model"
        criterion = FailingLoss() if ending == "criterion" else nn.CrossEntropyLoss()
        part = [values[:0] for values in data] if ending == "empty" else data
        attempt(lambda t=trainer, part=part, criterion=criterion: t.evaluate(loader(part, 3), criterion))
        after.append([module.training for module in modules])
    return after


def scaler_states_after_loading(lab: Submission, state: dict, saved: list) -> list:
    """`get_scaler_state` of a new float16 trainer right after it got each of these scaler states, before any step.

    Every other one is loaded into the trainer, the rest come with a scaler that is assigned.
    """
    reports = []
    for index, scaler_state in enumerate(saved):
        model = small_model(state)
        trainer = lab.MixedPrecisionTrainer(model, torch.float16)
        if index % 2:
            trainer.load_state_dict(trainer.state_dict() | {"scaler": scaler_state})
        else:
            scaler = new_scaler({}, model)
            scaler.load_state_dict(scaler_state)
            trainer.scaler = scaler
        reports.append({**trainer.get_scaler_state()})
    return reports


def states_that_do_not_fit(lab: Submission, states: list, kinds: list, scaler: dict) -> list:
    """What loading another trainer's state into a float16 trainer gives: the error or None, weights and scale then.

    The other one's state is without a loss scale ("off"), of a model with another output ("shape"), another layer
    ("names"), a buffer less ("fewer") or a buffer of another shape ("buffer"), or it fits ("fits"); "into off" fits
    too, but the trainer that loads has its scaler off. That one starts from `states[0]`, the other from `states[1]`;
    each has a buffer too, the first one's bias.
    """
    seen = []
    for kind in kinds:
        model = small_model(states[0])
        model.register_buffer("marks", states[0]["3.bias"].clone())
        trainer = lab.MixedPrecisionTrainer(model, torch.float16)
        trainer.scaler = new_scaler({"enabled": False} if kind == "into off" else scaler, model)
        other = small_model(states[1])
        marks = states[1]["0.bias" if kind == "buffer" else "3.bias"]
        if kind != "fewer":
            other.register_buffer("marks", marks.clone())
        if kind == "shape":
            other[3] = nn.Linear(other[3].in_features, other[3].out_features + 1, device=states[0]["0.weight"].device)
        elif kind == "names":
            other.append(nn.Linear(3, 3, device=states[0]["0.weight"].device))
        saver = lab.MixedPrecisionTrainer(other, torch.bfloat16 if kind == "off" else torch.float16)
        saved = through_a_file(saver.state_dict())
        error = attempt(lambda trainer=trainer, saved=saved: trainer.load_state_dict(saved))
        weights = {name: value.clone() for name, value in model.state_dict().items()}
        seen.append({"error": error, "weights": weights, "scale": trainer.scaler.get_scale()})
    return seen
