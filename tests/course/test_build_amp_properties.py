"""Lab 06's solution against torch.amp on anything in the graded domain: scales, weights and bits are equal."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from page_checks import ROOT
from torch import Tensor, nn
from torch.nn import functional as F

from labkit.course.loading import load_implementation

lab = load_implementation(ROOT / "solutions" / "build_amp.py")

some = settings(deadline=None, derandomize=True, max_examples=40, database=None)
powers = st.integers(0, 40).map(lambda power: 2.0**power)


# Loss scaling -----------------------------------------------------------------------------------------------------

KINDS = {"good": 1.0, "inf": math.inf, "-inf": -math.inf, "nan": math.nan}
OPTIMIZERS = (
    lambda parameters: torch.optim.SGD(parameters, lr=0.25, momentum=0.5),
    lambda parameters: torch.optim.AdamW(parameters, lr=0.01),
)


class Training:
    """Two weights of a model, each with an optimizer of its own, under one scaler."""

    def __init__(self, scaler: object) -> None:
        self.scaler = scaler
        self.weights = [nn.Parameter(torch.tensor([1.0, -2.0])) for _ in OPTIMIZERS]
        self.optimizers = [make([weight]) for make, weight in zip(OPTIMIZERS, self.weights, strict=True)]

    def iterate(self, kinds: list[str], clip: float | None) -> list[object]:
        """One iteration; a kind is what an entry of that weight's gradient is. Gives scale, weights and gradients."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        factors = [torch.tensor([0.75, KINDS[kind]]) for kind in kinds]
        loss = sum(
            ((weight * factor).sum() for weight, factor in zip(self.weights, factors, strict=True)), torch.zeros(())
        )
        self.scaler.scale(loss).backward()
        for weight, optimizer in zip(self.weights, self.optimizers, strict=True):
            if clip is not None:
                self.scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_([weight], clip)
            self.scaler.step(optimizer)
        self.scaler.update()
        return [
            self.scaler.get_scale(),
            *(bits(weight) for weight in self.weights),
            *(bits(weight.grad) for weight in self.weights),
        ]


def bits(values: Tensor) -> tuple[torch.dtype, list[int]]:
    """The format of the values, and every bit of them; all nans are alike."""
    whole = torch.where(values.isnan(), torch.full_like(values, math.nan), values).detach().contiguous()
    return values.dtype, whole.view(torch.int32 if values.dtype.itemsize == 4 else torch.int16).flatten().tolist()


kinds = st.sampled_from(["good", "good", "good", "inf", "-inf", "nan"])
schedules = st.lists(st.lists(kinds, min_size=len(OPTIMIZERS), max_size=len(OPTIMIZERS)), min_size=1, max_size=15)


@some
@given(
    schedule=schedules,
    init_scale=powers,
    growth_factor=st.sampled_from((1.5, 2.0, 4.0)),
    backoff_factor=st.sampled_from((0.25, 0.5, 0.75)),
    growth_interval=st.integers(1, 4),
    clip=st.sampled_from((None, 0.5)),
    resumed_at=st.integers(0, 15),
)
def test_dynamic_scaler_does_what_grad_scaler_does(
    schedule: list[list[str]], clip: float | None, resumed_at: int, **options: float
) -> None:
    """On any schedule of overflows; also when it goes on from its state in the middle."""
    here = Training(lab.DynamicLossScaler(**options))
    torch_ = Training(torch.amp.GradScaler("cpu", **options))
    for number, kinds in enumerate(schedule):
        if number == resumed_at:
            state, here.scaler = here.scaler.state_dict(), lab.DynamicLossScaler(**options)
            here.scaler.load_state_dict(state)
        assert here.iterate(kinds, clip) == torch_.iterate(kinds, clip)


@some
@given(overflows=st.lists(st.booleans(), max_size=300), growth_interval=st.integers(1, 3))
def test_scale_never_leaves_the_numbers_of_float32(overflows: list[bool], growth_interval: int) -> None:
    """Up it ends where GradScaler's ends; down at the smallest normal number, where GradScaler goes on to 0."""
    options = {"growth_factor": 2.0**40, "backoff_factor": 2.0**-40, "growth_interval": growth_interval}
    scaler, weight = lab.DynamicLossScaler(**options), nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.0)
    for overflow in overflows:
        weight.grad = torch.full((1,), math.inf if overflow else 0.0)
        scaler.step(optimizer)
        scaler.update()
        assert torch.finfo(torch.float32).tiny <= scaler.get_scale() <= torch.finfo(torch.float32).max


# Autocast ---------------------------------------------------------------------------------------------------------


class Network(nn.Module):
    """A network of the functions in `names`, which are keys of STEPS, one after the other; every weight is used."""

    def __init__(self, names: list[str], tied: bool) -> None:
        super().__init__()
        self.names = names
        self.linears = nn.ModuleList([nn.Linear(8, 8)] * len(names) if tied else [nn.Linear(8, 8) for _ in names])
        self.conv = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        for name, linear in zip(self.names, self.linears, strict=True):
            x = STEPS[name](x, linear.weight, linear.bias)
        return self.conv(x.reshape(1, 1, *x.shape)).reshape(x.shape)


STEPS = {
    "linear": lambda x, weight, bias: F.linear(x, weight, bias),
    "linear by keyword": lambda x, weight, bias: F.linear(input=x, weight=weight, bias=bias),
    "matmul": lambda x, weight, bias: torch.matmul(x, weight) + bias,
    "@": lambda x, weight, bias: x @ weight + bias,
    "mm": lambda x, weight, bias: torch.mm(x, weight),
    "bmm": lambda x, weight, bias: torch.bmm(x[None], weight[None])[0],
    "addmm": lambda x, weight, bias: torch.addmm(bias, x, weight),
    "baddbmm": lambda x, weight, bias: torch.baddbmm(bias[None, None], x[None], weight[None])[0],
    "einsum": lambda x, weight, bias: torch.einsum("ni,oi->no", x, weight),
    "prelu": lambda x, weight, bias: F.prelu(x, bias),
    "conv1d": lambda x, weight, bias: F.conv1d(x[:, None], weight[:1, None, :3], padding=1)[:, 0],
    "attention": lambda x, weight, bias: F.scaled_dot_product_attention(x[None], (x @ weight)[None], x[None])[0],
    "cat": lambda x, weight, bias: torch.cat([x, weight])[: len(x)],
    "stack": lambda x, weight, bias: torch.stack([x, bias.expand_as(x)]).sum(0),
    "index_copy": lambda x, weight, bias: weight.index_copy(0, torch.tensor([0, 2]), x[:2])[: len(x)],
    "gelu": lambda x, weight, bias: F.gelu(x),
    "softmax": lambda x, weight, bias: torch.softmax(x, -1),
    "layer norm": lambda x, weight, bias: F.layer_norm(x, x.shape[-1:]),
    "in-place relu": lambda x, weight, bias: x.clone().relu_(),
}
LOSSES = {
    "cross entropy": lambda x: F.cross_entropy(x, torch.arange(len(x)) % 8),
    "nll": lambda x: F.nll_loss(x, torch.arange(len(x)) % 8),
    "mse": lambda x: F.mse_loss(x, torch.ones_like(x)),
    "l1": lambda x: F.l1_loss(x, target=torch.zeros_like(x)),
    "smooth l1": lambda x: F.smooth_l1_loss(x, torch.ones_like(x)),
    "huber": lambda x: F.huber_loss(x, torch.ones_like(x)),
    "kl": lambda x: F.kl_div(x, torch.ones_like(x) / 8, reduction="batchmean"),
    "bce with logits": lambda x: F.binary_cross_entropy_with_logits(x, torch.ones_like(x)),
}


@some
@given(
    names=st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=5),
    loss=st.sampled_from(sorted(LOSSES)),
    tied=st.booleans(),
    off=st.booleans(),
    seed=st.integers(0, 99),
)
def test_autocast_has_every_bit_of_torch_autocast(
    names: list[str], loss: str, tied: bool, off: bool, seed: int
) -> None:
    """Output, loss and gradients of random networks, whose loss may be in a nested region that is off."""
    # torch.autocast casts a view of the weight inside einsum: two uses of one weight are then added up in float32.
    tied = tied and "einsum" not in names

    def run(region: type, *args: object) -> list[object]:
        torch.manual_seed(seed)
        network, inputs = Network(names, tied), torch.randn(4, 8)
        with region(*args, torch.bfloat16):
            output = network(inputs)
            with region(*args, torch.bfloat16, enabled=not off):
                ended = LOSSES[loss](output if not off else output.float())
        ended.backward()
        gradients = [weight.grad for weight in network.parameters()]
        return [bits(output), bits(ended), *(None if one is None else bits(one) for one in gradients)]

    assert run(lab.Autocast) == run(torch.autocast, "cpu")
