"""Step 1, autocast: what the graded suite makes the code under test do."""

import torch
from torch import Tensor, nn

from labkit.observe import Submission, attempt
from scenarios.mixed_precision.common import keep_outputs, linear


def forward_in_each(lab: Submission, weight: Tensor, inputs: Tensor, dtypes: list) -> list:
    """What an inner Linear computed when asked for each dtype (None: asked for none), or the error that it gave."""
    inner = linear(weight)
    model = nn.Sequential(nn.Identity(), inner)

    def output_in(dtype: torch.dtype | None) -> Tensor:
        outputs = keep_outputs(inner)
        lab.mixed_precision_forward(model, inputs, **({} if dtype is None else {"dtype": dtype}))
        return outputs[-1]

    return [attempt(lambda dtype=dtype: output_in(dtype)) for dtype in dtypes]


def forward_returns(lab: Submission, weight: Tensor, inputs: Tensor, dtype: torch.dtype) -> Tensor:
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


def forward_with_elementwise(
    lab: Submission, scale: Tensor, weight: Tensor, inputs: Tensor, dtype: torch.dtype
) -> dict:
    """What the elementwise product and the Linear behind it computed."""
    model = ScaleThenLinear(scale, weight)
    outputs = keep_outputs(model.linear)
    lab.mixed_precision_forward(model, inputs, dtype)
    return {"scaled": model.scaled.detach(), "linear": outputs[-1]}


def forward_leaves_behind(
    lab: Submission, weights: list, modes: list, frozen: list, inputs: Tensor, dtype: torch.dtype
) -> dict:
    """Weights, gradients and what is frozen after a forward pass; the mode of each layer during it and after it.

    Every weight holds a gradient before, of its own value, and every layer a buffer of that value.
    """
    model = nn.Sequential(*(linear(weight) for weight in weights))
    during: list[bool] = []
    for layer, mode, is_frozen in zip(model, modes, frozen, strict=True):
        layer.train(mode)
        layer.weight.requires_grad_(not is_frozen)
        layer.weight.grad = layer.weight.detach().clone()
        layer.register_buffer("marks", layer.weight.detach().clone())
        layer.register_forward_hook(lambda layer, inputs, output: during.append(layer.training))
    lab.mixed_precision_forward(model, inputs, dtype)
    return {
        "weights": [layer.weight.detach() for layer in model],
        "gradients": [layer.weight.grad for layer in model],
        "buffers": [layer.marks for layer in model],
        "frozen": [not layer.weight.requires_grad for layer in model],
        "during": during,
        "after": [layer.training for layer in model],
    }


def forward_gradients(
    lab: Submission, weights: list, inputs: Tensor, cotangent: Tensor, dtype: torch.dtype, training: bool
) -> list:
    """The gradients of the weights, and of the inputs, when `cotangent` flows back into the output."""
    model = nn.Sequential(*(linear(weight) for weight in weights)).train(training)
    inputs.requires_grad_()
    output = lab.mixed_precision_forward(model, inputs, dtype)
    output.backward(cotangent.to(output.dtype))
    return [*(layer.weight.grad for layer in model), inputs.grad]


class Failing(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        raise RuntimeError("this layer always fails")


def products_after_forward(lab: Submission, weight: Tensor, inputs: list, fails: list, dtype: torch.dtype) -> list:
    """After each forward pass, which fails where `fails` says so: a matrix product that nobody asked to autocast."""
    products = []
    for batch, fail in zip(inputs, fails, strict=True):
        model = nn.Sequential(linear(weight), Failing() if fail else nn.Identity())
        attempt(lambda model=model, batch=batch: lab.mixed_precision_forward(model, batch, dtype))
        products.append(batch @ weight.T)
    torch.set_autocast_enabled(weight.device.type, False)
    return products


def products_around_forward(
    lab: Submission, weight: Tensor, inputs: Tensor, outer: torch.dtype, dtype: torch.dtype
) -> dict:
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


def token_ids_seen(lab: Submission, table: Tensor, weight: Tensor, tokens: Tensor, dtype: torch.dtype) -> dict:
    """The token ids that reach an embedding layer, and the output of the Linear behind it."""
    model = nn.Sequential(nn.Embedding.from_pretrained(table, freeze=False), linear(weight))
    seen: list[Tensor] = []
    model[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    outputs = keep_outputs(model[1])
    lab.mixed_precision_forward(model, tokens, dtype)
    return {"tokens": seen[-1], "linear": outputs[-1]}


def forward_in_regions(lab: Submission, weight: Tensor, inputs: list, dtypes: list, regions: list) -> list:
    """What a Linear computes in each of `dtypes` when the caller has opened the region next to it (None: none)."""
    outputs = keep_outputs(model := linear(weight))
    for batch, dtype, region in zip(inputs, dtypes, regions, strict=True):
        with torch.autocast(weight.device.type, dtype=region or torch.float16, enabled=region is not None):
            lab.mixed_precision_forward(model, batch, dtype)
    return outputs
