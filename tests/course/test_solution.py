"""The reference solution on what the graded suite does not ask of students: layouts, sizes, owners, real structures."""

import math

import pytest
import torch
from page_checks import ROOT
from torch import Tensor, nn

from labkit.course.loading import load_implementation

lab = load_implementation(ROOT / "solutions" / "mixed_precision.py")

FORMATS = (torch.float16, torch.bfloat16, torch.float32)
INF, NAN = math.inf, math.nan


def scaler_for(dtype: torch.dtype) -> torch.amp.GradScaler:
    return torch.amp.GradScaler("cpu", init_scale=256.0, enabled=dtype == torch.float16)


def step_with(gradients: list[Tensor], limit: float | None = None, enabled: bool = True) -> tuple[bool, list[Tensor]]:
    """One step with lr 1 from zero weights, whose gradients are these: what it returned, and the movements."""
    model = nn.ParameterList(torch.zeros_like(gradient) for gradient in gradients)
    scaler = torch.amp.GradScaler("cpu", init_scale=1.0, enabled=enabled)
    loss = sum((parameter * gradient).sum() for parameter, gradient in zip(model, gradients, strict=True))
    stepped = lab.scaled_backward(loss, scaler, torch.optim.SGD(model, lr=1.0), model, limit)
    return stepped, [-parameter.detach() for parameter in model]


# Gradients of every layout ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FORMATS)
def test_sparse_gradients_are_stepped_with_and_clipped_by_their_sum(dtype: torch.dtype) -> None:
    table, tokens = nn.Embedding(9, 4, sparse=True), torch.tensor([1, 1, 2, 5])
    before = table.weight.detach().clone()
    optimizer = torch.optim.SGD(table.parameters(), lr=1.0)
    # Row 1 gets its gradient twice: coalesced it is 2 in each of 4 entries, and the norm is sqrt(4 * (4 + 1 + 1)).
    assert lab.scaled_backward(table(tokens).sum(), scaler_for(dtype), optimizer, table, max_grad_norm=1.0)
    moved = before - table.weight.detach()
    expected = torch.bincount(tokens, minlength=9).float()[:, None].expand(9, 4) / math.sqrt(24)
    torch.testing.assert_close(moved, expected)


@pytest.mark.parametrize("dtype", FORMATS)
def test_a_bad_entry_of_a_sparse_gradient_skips(dtype: torch.dtype) -> None:
    table = nn.Embedding(9, 4, sparse=True)
    before, optimizer = table.weight.detach().clone(), torch.optim.SGD(table.parameters(), lr=1.0)
    loss = (table(torch.tensor([1, 3])) * torch.tensor([[1.0], [INF]])).sum()
    assert not lab.scaled_backward(loss, scaler_for(dtype), optimizer, table)
    assert torch.equal(table.weight, before)


@pytest.mark.parametrize("dtype", FORMATS)
def test_train_step_of_a_model_with_a_sparse_embedding(dtype: torch.dtype) -> None:
    model = nn.Sequential(nn.Embedding(9, 4, sparse=True), nn.Flatten(), nn.Linear(8, 3))
    batch = (torch.randint(0, 9, (6, 2)), torch.randint(0, 3, (6,)))
    trainer = lab.MixedPrecisionTrainer(model, dtype)
    trainer.scaler = scaler_for(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss, skipped = trainer.train_step(batch, optimizer, nn.CrossEntropyLoss(), max_grad_norm=0.5)
    assert math.isfinite(loss) and not skipped


# Gradients of any size --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("size", [1e38, 1e20, 1.0, 1e-20, 1e-30])
def test_clipping_holds_for_finite_gradients_of_any_size(size: float, enabled: bool) -> None:
    gradients = [torch.tensor([3.0, 0.0]) * (size / 5), torch.tensor([4.0]) * (size / 5)]
    stepped, moved = step_with(gradients, limit=size / 100, enabled=enabled)
    assert stepped
    torch.testing.assert_close(torch.cat(moved) / (size / 100), torch.tensor([0.6, 0.0, 0.8]))


def test_gradients_of_zero_are_left_alone() -> None:
    assert step_with([torch.zeros(3)], limit=0.0) == (True, [pytest.approx(torch.zeros(3))])


@pytest.mark.parametrize("limit", [-1.0, -1e-9, -INF, NAN])
def test_a_limit_below_zero_is_refused_before_anything_happens(limit: float) -> None:
    model = nn.ParameterList([torch.ones(2)])
    with pytest.raises(ValueError, match="max_grad_norm must be 0 or more"):
        lab.scaled_backward(model[0].sum(), scaler_for(FORMATS[0]), torch.optim.SGD(model, lr=1.0), model, limit)
    assert model[0].grad is None


# Whose gradients decide -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FORMATS)
def test_a_criterion_that_the_optimizer_owns_is_judged_too(dtype: torch.dtype) -> None:
    model, criterion = nn.Linear(3, 1), nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD([*model.parameters(), *criterion.parameters()], lr=1.0)
    criterion.weight.register_hook(lambda gradient: gradient * INF)
    before = [parameter.detach().clone() for parameter in (*model.parameters(), *criterion.parameters())]
    assert not lab.scaled_backward(criterion(model(torch.ones(3))).sum(), scaler_for(dtype), optimizer, model)
    assert all(map(torch.equal, before, (*model.parameters(), *criterion.parameters())))


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("stale", [INF, NAN, 1e6])
def test_an_optimizer_over_the_head_is_not_stopped_by_the_backbone(dtype: torch.dtype, stale: float) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1, bias=False))
    optimizer = torch.optim.SGD(model[1].parameters(), lr=1.0)
    model[0].weight.grad = torch.full((3, 3), stale)
    before = model[1].weight.detach().clone()
    assert lab.scaled_backward(100 * model(torch.ones(3)).sum(), scaler_for(dtype), optimizer, model, 0.5)
    assert (before - model[1].weight.detach()).norm().item() == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("stale", [INF, NAN, 1e6])
def test_a_frozen_parameter_that_the_optimizer_still_owns_takes_no_part(dtype: torch.dtype, stale: float) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1, bias=False))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    model[0].requires_grad_(False)
    model[0].weight.grad = torch.full((3, 3), stale)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    assert lab.scaled_backward(100 * model(torch.ones(3)).sum(), scaler_for(dtype), optimizer, model, 0.5)
    assert torch.equal(before[0], model[0].weight)
    assert (before[2] - model[1].weight.detach()).norm().item() == pytest.approx(0.5, rel=1e-5)
    torch.testing.assert_close(model[0].weight.grad, torch.full((3, 3), stale), equal_nan=True)


def test_a_shared_parameter_counts_once() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    optimizer, before = torch.optim.SGD(model.parameters(), lr=1.0), model[0].weight.detach().clone()
    lab.scaled_backward(model(torch.ones(2)).sum(), scaler_for(torch.float32), optimizer, model, max_grad_norm=0.25)
    assert (before - model[0].weight.detach()).norm().item() == pytest.approx(0.25, rel=1e-5)


# Modes, evaluation, states ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["returns", "model", "criterion", "loader", "empty"])
def test_evaluate_restores_the_mode_of_every_submodule(ending: str) -> None:
    def failing(*_: object) -> None:
        raise RuntimeError(ending)

    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Sequential(nn.Dropout(), nn.Identity()))
    model.eval()
    for module in (model, model[0], model[2][0]):
        module.training = True
    modes = [module.training for module in model.modules()]
    if ending == "model":
        model[2][1].register_forward_hook(failing)
    criterion = failing if ending == "criterion" else nn.CrossEntropyLoss()
    batches = [] if ending == "empty" else [(torch.randn(6, 4), torch.randint(0, 3, (6,)))]
    loader = (failing() for _ in range(1)) if ending == "loader" else batches
    trainer = lab.MixedPrecisionTrainer(model, torch.float32)
    if ending == "returns":
        trainer.evaluate(loader, criterion)
    else:
        with pytest.raises(ValueError if ending == "empty" else RuntimeError):
            trainer.evaluate(loader, criterion)
    assert [module.training for module in model.modules()] == modes


@pytest.mark.parametrize("bad", [INF, -INF, NAN])
def test_evaluate_shows_that_a_model_diverged(bad: float) -> None:
    trainer = lab.MixedPrecisionTrainer(nn.Linear(2, 1), torch.float32)
    batches = [(torch.ones(2, 2), torch.tensor([[1.0], [value]])) for value in (1.0, bad)]
    loss = trainer.evaluate(batches, lambda output, target: target.mean())
    assert loss == bad or (math.isnan(bad) and math.isnan(loss))


def small(outputs: int = 2, more: bool = False) -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, outputs), *([nn.Linear(outputs, 1)] if more else []))


@pytest.mark.parametrize("case", ["scaler off", "another shape", "a layer more", "a layer less", "half a scaler"])
def test_a_state_that_does_not_fit_changes_nothing(case: str) -> None:
    dtype = torch.bfloat16 if case == "scaler off" else torch.float16
    saved_model = small(3 if case == "another shape" else 2, more=case == "a layer more")
    state = lab.MixedPrecisionTrainer(saved_model, dtype).state_dict()
    if case == "half a scaler":
        del state["scaler"]["_growth_tracker"]
    trainer = lab.MixedPrecisionTrainer(small(more=case == "a layer less"), torch.float16)
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=128.0)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    with pytest.raises(ValueError, match="the state"):
        trainer.load_state_dict(state)
    assert all(torch.equal(value, before[name]) for name, value in trainer.model.state_dict().items())
    assert trainer.scaler.get_scale() == 128.0


def test_a_float16_state_goes_into_a_trainer_without_a_scaler() -> None:
    saved, model = small(), small()
    lab.MixedPrecisionTrainer(model, torch.bfloat16).load_state_dict(lab.MixedPrecisionTrainer(saved).state_dict())
    assert torch.equal(model[0].weight, saved[0].weight)


# FSDP2 on the structures of real models ---------------------------------------------------------------------------


class Tokens(nn.Module):
    """Embedding, blocks in a container, head; with a parameter and a ParameterList of its own."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        blocks = {f"block{i}": nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.GELU()) for i in range(2)}
        self.embedding = nn.Embedding(11, 8)
        self.blocks = nn.ModuleDict(blocks) if kind == "dict" else nn.ModuleList(blocks.values())
        if kind == "nested":
            self.blocks = nn.ModuleList([nn.ModuleList([block]) for block in blocks.values()])
        self.head, self.gain = nn.Linear(8, 11, bias=False), nn.Parameter(torch.ones(8))
        self.more = nn.ParameterList([torch.ones(8)])
        if kind == "tied":
            self.head.weight = self.embedding.weight
        if kind == "shared module":
            self.blocks[1][0] = self.blocks[0][0]

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.embedding(tokens) * self.gain * self.more[0]
        for block in self.blocks.values() if isinstance(self.blocks, nn.ModuleDict) else self.blocks:
            hidden = hidden + (block[0] if isinstance(block, nn.ModuleList) else block)(hidden)
        return self.head(hidden)


class Images(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.norm, self.head = nn.BatchNorm1d(16), nn.Linear(16, 11)

    def forward(self, tokens: Tensor) -> Tensor:
        images = tokens.float().view(-1, 1, 4, 4) / 11
        return self.head(self.norm(self.body(images).flatten(1)))


@pytest.fixture
def group_of_one():
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("group_of_one")
@pytest.mark.parametrize("kind", ["list", "dict", "nested", "tied", "shared module", "images"])
def test_fsdp_shards_models_as_people_have_them(kind: str) -> None:
    torch.manual_seed(0)
    tokens, targets = torch.randint(0, 11, (6, 16) if kind == "images" else (6,)), torch.randint(0, 11, (6,))
    plain = Images() if kind == "images" else Tokens(kind)
    for dtype in FORMATS:
        losses = []
        for wrap in (lambda model: model, lambda model, dtype=dtype: lab.wrap_fsdp(model, dtype)):
            model = Images() if kind == "images" else Tokens(kind)
            model.load_state_dict(plain.state_dict())
            model = wrap(model)
            trainer = lab.MixedPrecisionTrainer(model, dtype)
            trainer.scaler = scaler_for(dtype)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            steps = [trainer.train_step((tokens, targets), optimizer, nn.CrossEntropyLoss(), 1.0) for _ in range(3)]
            losses.append([loss for loss, _ in steps])
        assert losses[1] == pytest.approx(losses[0], rel=1e-5 if dtype == torch.float32 else 0.05)
        assert losses[1][-1] < losses[1][0]
