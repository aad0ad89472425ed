"""Why a decoder without its causal mask learns faster, and has learnt nothing."""

from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR

from labkit.experiments.style import GREEN, VERMILION
from labkit.labs.capstones import words
from labkit.toolbox.measure import one_thread

TITLE = "A decoder with the causal mask and without it: what the loss says, and what it spells"
STEPS = 500
MEASURED = 50  # steps from one look at the unseen numbers to the next
TEST = 200
WITH, WITHOUT = "with the causal mask", "without it"
COLOURS = {WITH: GREEN, WITHOUT: VERMILION}


class Speller(nn.Module):
    """A Transformer as the lab's, whose causal mask can be left out."""

    def __init__(self, source_tokens: int, target_tokens: int, causal: bool) -> None:
        super().__init__()
        width = words.WIDTH
        self.causal = causal
        self.source, self.target = nn.Embedding(source_tokens, width), nn.Embedding(target_tokens, width)
        self.transformer = nn.Transformer(width, 4, 1, 1, 2 * width, dropout=0.0, batch_first=True)
        self.head = nn.Linear(width, target_tokens)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits of the token after each target position."""
        length, pads = target.shape[1], source == 0
        later = torch.ones(length, length, dtype=torch.bool).triu(diagonal=1) if self.causal else None
        inputs = [
            embedding(tokens) * words.WIDTH**0.5 + _positions(tokens.shape[1])
            for embedding, tokens in ((self.source, source), (self.target, target))
        ]
        hidden = self.transformer(*inputs, tgt_mask=later, src_key_padding_mask=pads, memory_key_padding_mask=pads)
        return self.head(hidden)


def _positions(length: int) -> Tensor:
    angles = torch.arange(length)[:, None] * 10000.0 ** (-torch.arange(0, words.WIDTH, 2) / words.WIDTH)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def measure(lab: ModuleType) -> dict[str, Any]:
    """The same numbers and batches for both: losses, and on unseen numbers what a training shows and what is spelt."""
    with one_thread():
        return {name: _run(lab, name == WITH) for name in (WITH, WITHOUT)}


def _run(lab: ModuleType, causal: bool) -> dict[str, Any]:
    torch.manual_seed(0)
    language = words.Language(lab)
    numbers = torch.randperm(words.NUMBERS).tolist()
    train, unseen = numbers[: words.TRAIN], numbers[-TEST:]
    model = Speller(language.source_tokens, language.target_tokens, causal)
    optimizer = Adam(model.parameters(), lr=1.0, betas=words.BETAS, eps=words.EPS, fused=True)
    scheduler = LambdaLR(optimizer, lambda taken: lab.noam(taken + 1, words.WIDTH, words.WARMUP, words.FACTOR))
    scaler = GradScaler("cpu", enabled=False)
    source, target = language.batch(unseen, "cpu")
    losses, told, spelt = [], [], []
    for step in range(1, STEPS + 1):
        batch = language.batch([train[pick] for pick in torch.randperm(len(train))[: words.BATCH].tolist()], "cpu")
        loss, _ = lab.train_step(model, batch, optimizer, scheduler, scaler, torch.float32, words.MAX_GRAD_NORM)
        losses.append(loss)
        if step % MEASURED == 0:
            with torch.no_grad():
                said = model(source, target[:, :-1]).argmax(dim=-1)
            told.append((step, lab.exact_match(said, target[:, 1:])))
            decoded = lab.greedy_decode(model, source, target.shape[1], torch.float32)
            spelt.append((step, lab.exact_match(decoded, target[:, 1:])))
    examples = [(number, language.text(row)) for number, row in zip(unseen[:3], decoded.tolist(), strict=False)]
    return {"losses": losses, "told": told, "spelt": spelt, "examples": examples}


def _last_loss(run: dict[str, Any]) -> float:
    last = run["losses"][-MEASURED:]
    return sum(last) / len(last)


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["decoder", "training loss", "answer shown", "on its own"]]
    for name, run in data.items():
        rows.append([name, f"{_last_loss(run):.4f}", f"{run['told'][-1][1]:.0%}", f"{run['spelt'][-1][1]:.0%}"])
    return rows


def notice(data: dict[str, Any]) -> str:
    right, wrong = data[WITH], data[WITHOUT]
    number, said = wrong["examples"][0]
    return (
        f"Without the mask the training loss ends at {_last_loss(wrong):.3f}, with it at {_last_loss(right):.3f}: "
        "without it the decoder can read the next word of the answer, and copy it. As long as it is shown the answer, "
        f"{wrong['told'][-1][1]:.0%} of the unseen numbers are right. On its own it spells {wrong['spelt'][-1][1]:.0%} "
        f'of them, with the mask {right["spelt"][-1][1]:.0%}: it calls {number} "{said}".'
    )


def draw(data: dict[str, Any]) -> Figure:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 5.8))
    for name, run in data.items():
        size = max(1, len(run["losses"]) // 45)
        ends = range(size, len(run["losses"]) + 1, size)
        means = [sum(run["losses"][end - size : end]) / size for end in ends]
        left.plot(ends, means, color=COLOURS[name], label=name)
        right.plot(*zip(*run["told"], strict=True), "--", color=COLOURS[name])
        right.plot(*zip(*run["spelt"], strict=True), "-o", color=COLOURS[name])
    ink = pyplot.rcParams["text.color"]
    right.plot([], [], "--", color=ink, label="with the answer shown, as in training")
    right.plot([], [], "-o", color=ink, label="on its own, word by word")
    left.set(title="Training loss", xlabel="step", ylabel="cross entropy (nats)", yscale="log")
    left.yaxis.set_major_formatter("{x:g}")
    right.set(title="Unseen numbers that are right", xlabel="step", ylim=(0, 1.02))
    right.yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.legend(handles=[*left.lines, *right.lines[-2:]], loc="outside lower center", ncols=2)
    return figure
