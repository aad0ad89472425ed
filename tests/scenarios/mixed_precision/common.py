"""Models, losses, loaders and optimizers that the scenarios of several steps are made of.

A scenario judges nothing. It builds small models from the tensors that it is given, calls the lab's functions, and
returns numbers, lists and tensors. Inputs arrive on the device under test; models are built there.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler, TensorDataset

from labkit.toolbox.models import SimpleModel


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


def make_optimizer(name: str, parameters: list, lr: float) -> torch.optim.Optimizer:
    """An optimizer with a parameter group for each parameter."""
    groups = [{"params": [parameter]} for parameter in parameters]
    kinds: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "sgd": torch.optim.SGD,
        "decay": lambda p, lr: torch.optim.SGD(p, lr=lr, weight_decay=0.25),
        "fused": lambda p, lr: torch.optim.SGD(p, lr=lr, fused=True),
        "momentum": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.5),
        "adam": lambda p, lr: torch.optim.Adam(p, lr=lr),
    }
    return kinds[name](groups, lr=lr)


def optimizer_state(optimizer: torch.optim.Optimizer) -> list[dict]:
    """The tensors that the optimizer keeps for each of its parameters, by name."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    states = [optimizer.state.get(parameter, {}) for parameter in parameters]
    return [{name: value.clone() for name, value in one.items() if isinstance(value, Tensor)} for one in states]


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


def loader(data: list, batch_size: int, sampler: Sampler | None = None) -> DataLoader:
    """Batches of (inputs, targets) in order, on the CPU; the last one may be short, and no data gives no batch."""
    return DataLoader(TensorDataset(*on_cpu(data)), batch_size=batch_size, sampler=sampler)
