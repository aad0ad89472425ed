"""Scenarios of step 5 of Lab 07, fine-tuning: what the suite makes the code under test do."""

import torch
from torch import Tensor, nn

from labkit.observe import Submission, attempt
from scenarios.capstones.probes import Given, Noting, moved, selected
from scenarios.capstones.products import region


class Parameters(nn.Module):
    """Modules in modules with parameters of these shapes; `trained` says which of them require gradients.

    Every second one is called "bias": a name says nothing.

    Parameter number i is also that of a second module if `shared` has an i.
    """

    def __init__(self, shapes: list, trained: list, shared: list) -> None:
        super().__init__()
        self.rows = nn.ModuleList()
        self.values = [nn.Parameter(torch.zeros(shape), requires_grad=one)
                       for shape, one in zip(shapes, trained, strict=True)]  # fmt: skip
        for index in (*range(len(shapes)), *shared):
            self.rows.append(nn.Module())
            self.rows[-1].register_parameter("bias" if index % 2 else "weight", self.values[index])


def groups(lab: Submission, shapes: list, trained: list, shared: list, weight_decay: float) -> list:
    """What `parameter_groups` gives for such a module: of each group its decay, and the numbers of its parameters.

    Twice: then for all of its parameters frozen.
    """
    model = Parameters(shapes, trained, shared)
    numbers = {id(value): number for number, value in enumerate(model.values)}
    seen = []
    for _ in range(2):
        made = lab.parameter_groups(model, weight_decay)
        seen.append(
            [
                {
                    "keys": sorted(group),
                    "weight_decay": group["weight_decay"],
                    "parameters": sorted(numbers[id(parameter)] for parameter in group["params"]),
                    "list": isinstance(group["params"], list),
                }
                for group in made
            ]
        )
        model.requires_grad_(False)
    return seen


def rates(lab: Submission, calls: list) -> list:
    """`warmup_linear` for each of `calls`, (step, warmup, total), or what it raised."""
    return [attempt(lambda call=call: lab.warmup_linear(*call)) for call in calls]


class TinyReader(Noting):
    """Tokens (n, length) -> 3 logits: embedding, mean over tokens, two layers with tanh, linear layer.

    The names of the two layers begin alike: layer1 is a linear layer and a layer norm, layer10 a linear layer. As in
    BERT there is a pooler, which takes no part.
    """

    def __init__(self, weights: dict, spoils: list | None = None) -> None:
        super().__init__(spoils)
        self.words = nn.Embedding(*weights["words.weight"].shape)
        self.layer1 = nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5))
        self.layer10 = nn.Linear(5, 5)
        self.pooler = nn.Linear(2, 2)
        self.head = nn.Linear(5, 3)
        self.load_state_dict(weights)

    def forward(self, tokens: Tensor) -> Tensor:
        self.note_run(tokens)
        hidden = torch.tanh(self.layer1(self.words(tokens).mean(dim=1)))
        return self.tap(self.head(self.inner(torch.tanh(self.layer10(hidden)))))


def tune(
    lab: Submission,
    batches: list,
    report: list,
    lr: float = 0.0,
    warmup: int = 0,
    dtype: torch.dtype = torch.float32,
    runs: tuple = (),
    weights: dict | None = None,
    table: list | None = None,
    spoils: list | None = None,
    old: dict | None = None,
    modes: list | None = None,
    frozen: list | None = None,
    already_frozen: tuple = (),
    settings: dict | None = None,
    tied: str | None = None,
    around: torch.dtype = torch.float32,
) -> dict:
    """`fine_tune` on a TinyReader with these weights, or on a model that gives the logits of `table`.

    `old` are gradients that parameters have before, by name, `modes` the modes of the modules before; the parameters
    named in `already_frozen` require no gradient. `settings` are other arguments. A module called "tied" has the
    parameter of the name `tied` too. `around` is the dtype of a region of autocast around the call, float32: without
    one. The report has what `report` names; "runs" is what `runs` names of each run of the model.
    """
    model: Noting = TinyReader(weights, spoils) if table is None else Given(table, spoils)
    model.to(batches[0][1].device)
    _prepare(model, old or {}, already_frozen)
    for module, mode in zip(model.modules(), modes or (), strict=bool(modes)):
        module.training = mode
    given = (settings or {}) | ({} if frozen is None else {"frozen": tuple(frozen)})
    if tied is not None:
        model.tied = nn.Module()
        model.tied.weight = model.get_parameter(tied)
    with region(batches[0][1].device, around):
        losses = lab.fine_tune(model, [(inputs, labels) for inputs, labels in batches], dtype, lr, warmup, **given)
    everything = {
        "losses": losses,
        "runs": selected(model.runs, list(runs)),
        "moved": moved(model),
        "state": {name: value for name, value in model.state_dict().items() if not name.startswith("tied")},
        "trained": sorted(name for name, parameter in model.named_parameters() if parameter.requires_grad),
    }
    return {name: everything[name] for name in report}


def refused(lab: Submission, weights: dict, old: dict, already_frozen: list, batches: list, calls: list) -> list:
    """For each of `calls`, (how many batches, warmup, names to freeze): what was raised, and what was left."""
    model = TinyReader(weights).to(batches[0][1].device)
    _prepare(model, old, already_frozen)
    model.eval()
    seen = []
    for count, warmup, frozen in calls:
        some = [(inputs, labels) for inputs, labels in batches[:count]]
        raised = attempt(
            lambda some=some, warmup=warmup, frozen=frozen: lab.fine_tune(
                model, some, torch.float32, 0.1, warmup, frozen=frozen
            )
        )
        seen.append(
            {
                "raised": raised,
                "state": {name: value.clone() for name, value in model.state_dict().items()},
                "gradients": {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None},
                "trained": sorted(name for name, one in model.named_parameters() if one.requires_grad),
                "training": [module.training for module in model.modules()],
                "runs": len(model.runs),
            }
        )
    return seen


def _prepare(model: nn.Module, old: dict, already_frozen: list | tuple) -> None:
    for name, parameter in model.named_parameters():
        if name in old:
            parameter.grad = old[name].clone()
        parameter.requires_grad_(name not in already_frozen)
