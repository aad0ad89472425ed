"""Scenarios of step 4 of Lab 07, images: what the suite makes the code under test do."""

import torch
from torch import Tensor, nn

from labkit.observe import Submission, attempt
from scenarios.capstones.probes import Given, Noting, moved, selected
from scenarios.capstones.products import region

STATISTICS = ("running_mean", "running_var")


def blocks(lab: Submission, sizes: list) -> list:
    """For each of `sizes`, the arguments of a new block: names, dtypes and shapes in its state dict; of vectors also
    the least and the largest number.
    """
    return [_named_shapes(lab.ResidualBlock(*size).state_dict()) for size in sizes]


def block_outputs(lab: Submission, cases: list) -> list:
    """For each case: what a block with these weights gives for x, and its state afterwards, if it was in train mode."""
    seen = []
    for case in cases:
        block = lab.ResidualBlock(*case["size"]).to(case["x"].device)
        block.load_state_dict(case["state"], strict=False)  # without norms' counters of batches
        block.train(case["training"])
        x = case["x"].clone()
        output = block(x).detach()
        state = {name: value for name, value in block.state_dict().items() if name.endswith(STATISTICS)}
        seen.append({"output": output, "state": state, "x": x})
    return seen


def _named_shapes(state: dict) -> dict:
    return {
        name: [value.dtype, list(value.shape), *(value.aminmax() if value.dim() == 1 else ())]
        for name, value in sorted(state.items())
        if not name.endswith("num_batches_tracked")
    }


def resnet_shapes(lab: Submission, settings: list) -> list:
    """For each of `settings`, the keywords of a new network: the shapes of its parameters, sorted."""
    return [sorted(list(one.shape) for one in lab.small_resnet(**given).parameters()) for given in settings]


def resnet_outputs(lab: Submission, width: int, classes: int, layers: dict, images: list) -> list:
    """Logits of a network with the weights of `layers`, in eval mode: "stem", "norm", three "blocks", and "head"."""
    model = lab.small_resnet(width, classes).to(images[0].device)
    found = [module for module in model.modules() if isinstance(module, lab.ResidualBlock)]
    for block, state in zip(sorted(found, key=lambda one: one.conv1.weight.numel()), layers["blocks"], strict=True):
        block.load_state_dict(state, strict=False)
    for module in model.modules():
        of_block = any(module is inner for block in found for inner in block.modules())
        for kind, state in ((nn.Conv2d, "stem"), (nn.BatchNorm2d, "norm"), (nn.Linear, "head")):
            if isinstance(module, kind) and not of_block:
                module.load_state_dict(layers[state], strict=False)
    model.eval()
    return [model(x).detach() for x in images]


class TinyNetwork(Noting):
    """Images (n, 2, H, W) -> 3 logits: convolution, batch norm, tanh, mean over positions, linear layer."""

    def __init__(self, weights: dict, spoils: list | None = None) -> None:
        super().__init__(spoils)
        self.conv = nn.Conv2d(2, 3, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(3)
        self.head = nn.Linear(3, 3)
        self.load_state_dict(weights, strict=False)

    def forward(self, images: Tensor) -> Tensor:
        self.note_run(images)
        hidden = torch.tanh(self.norm(self.conv(images)))
        return self.tap(self.head(self.inner(hidden).mean(dim=(2, 3))))


def train(
    lab: Submission,
    train: list,
    test: list,
    rates: list,
    report: list,
    dtype: torch.dtype = torch.float32,
    runs: tuple = (),
    weights: dict | None = None,
    table: list | None = None,
    spoils: list | None = None,
    old: list | None = None,
    modes: list | None = None,
    second: float = 1.0,
    around: torch.dtype = torch.float32,
) -> dict:
    """`train_images` on a TinyNetwork with these weights, or on a model that gives the logits of `table`.

    SGD; `rates` has the learning rate of each epoch, and one more for after the last; all parameters but the first are
    in a second group, whose rate is `second` times as high. `old` are gradients that the parameters have before,
    `modes` the modes of the modules before, `around` the dtype of a region of autocast around the call. The report has
    what `report` names; "runs" is what `runs` names of each run of the model.
    """
    model: Noting = TinyNetwork(weights, spoils) if table is None else Given(table, spoils)
    model.to(train[0][1].device)
    parameters = list(model.parameters())
    optimizer = torch.optim.SGD([{"params": parameters[:1]}, {"params": parameters[1:], "lr": second}], lr=1.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: rates[min(epoch, len(rates) - 1)])
    model.learning_rate = lambda: optimizer.param_groups[0]["lr"]
    for parameter, gradient in zip(parameters, old or (), strict=bool(old)):
        parameter.grad = gradient.clone()
    for module, mode in zip(model.modules(), modes or (), strict=bool(modes)):
        module.training = mode
    with region(train[0][1].device, around):
        history = lab.train_images(model, _pairs(train), _pairs(test), optimizer, scheduler, dtype, len(rates) - 1)
    everything = {
        "history": history,
        "runs": selected(model.runs, list(runs)),
        "moved": moved(model),
        "state": _state(model),
        "training": [module.training for module in model.modules()],
        "lr": optimizer.param_groups[0]["lr"],
    }
    return {name: everything[name] for name in report}


def refused(lab: Submission, weights: dict, old: list, train: list, test: list, calls: list) -> list:
    """For each of `calls`, (with training batches?, with test batches?, epochs): what was raised, and what was left."""
    model = TinyNetwork(weights).to(train[0][1].device)
    model.eval()
    for parameter, gradient in zip(model.parameters(), old, strict=True):
        parameter.grad = gradient.clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    seen = []
    for trains, tests, epochs in calls:
        batches = _pairs(train) if trains else [], _pairs(test) if tests else []
        raised = attempt(
            lambda batches=batches, epochs=epochs: lab.train_images(
                model, *batches, optimizer, scheduler, torch.float32, epochs
            )
        )
        seen.append(
            {
                "raised": raised,
                "state": {name: value.clone() for name, value in _state(model).items()},
                "gradients": [None if one.grad is None else one.grad.clone() for one in model.parameters()],
                "training": model.training,
                "runs": len(model.runs),
                "channels_last": model.conv.weight.is_contiguous(memory_format=torch.channels_last),
                "lr": optimizer.param_groups[0]["lr"],
            }
        )
    return seen


def _state(model: nn.Module) -> dict[str, Tensor]:
    """Its state without the norms' counters of batches."""
    return {name: value for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}


def _pairs(batches: list) -> list[tuple[Tensor, Tensor]]:
    return [(inputs, labels) for inputs, labels in batches]
