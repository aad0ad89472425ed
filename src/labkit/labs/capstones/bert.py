"""The job "bert": a pretrained BERT learns which words people feel as positive, and which as negative."""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.optimizer import register_optimizer_step_post_hook

from labkit.labs.capstones.pretrained import Classifier, Encoder, of_transformers, of_wheel
from labkit.labs.capstones.training import DTYPES, Advance, Run
from labkit.toolbox.wheels import Wheel, fetched, member

VADER = Wheel(
    package="vaderSentiment",
    version="3.3.2",
    file="vaderSentiment-3.3.2-py2.py3-none-any.whl",
    sha256="3bf1d243b98b1afad575b9f22bc2cb1e212b94ff89ca74f8a23a588d024ea311",
    megabytes=0.2,
    holds="the VADER lexicon, words rated by ten people each",
    licence="C.J. Hutto, MIT",
)
MEMBER = "vaderSentiment/vader_lexicon.txt"

LEAST = 1.0  # the mean rating of a word that counts, up or down; the scale ends at 4
STEM = 5  # letters; words that share them are on one side of the split
TRAIN, TEST_SHARE = 2048, 0.2
BATCH, TEST_BATCH = 32, 256
LEARNING_RATE = 1e-4
WARMUP_SHARE = 0.1
SHOWN = 6


class Rated(NamedTuple):
    """A word, and the mean of what people gave it, from -4 to 4."""

    word: str
    rating: float


def lexicon(downloads: Path) -> list[Rated]:
    """The words of VADER's that are letters only and clearly positive or negative. Raises LabError."""
    text = member(fetched(VADER, downloads), MEMBER).decode("utf-8")
    entries = (line.split("\t") for line in text.splitlines() if line)
    rated = (Rated(word, float(mean)) for word, mean, *_ in entries)
    return [one for one in rated if one.word.isascii() and one.word.isalpha() and abs(one.rating) >= LEAST]


def split(words: list[Rated], seed: int) -> tuple[list[Rated], list[Rated]]:
    """The words for training and for testing; forms of one word are on one side."""
    stems = sorted({one.word[:STEM] for one in words})
    order = torch.randperm(len(stems), generator=torch.Generator().manual_seed(seed)).tolist()
    tested = {stems[index] for index in order[: round(TEST_SHARE * len(stems))]}
    shuffled = [words[index] for index in torch.randperm(len(words), generator=torch.Generator().manual_seed(seed))]
    sides = [[one for one in shuffled if (one.word[:STEM] in tested) == side] for side in (False, True)]
    return sides[0][:TRAIN], sides[1]


class Polarity:
    name = "bert"
    title = "BERT tells positive words from negative ones"
    metric = "accuracy on unseen words"

    def __init__(self, downloads: Path, pretrained: str | None = None, device: str = "cpu") -> None:
        """Raises LabError if data or weights cannot be had."""
        self.device = device
        self._words = lexicon(downloads)
        self._encoder: Encoder = of_transformers(pretrained) if pretrained else of_wheel(downloads)
        self.steps = math.ceil(TRAIN / BATCH)
        self.sources = [VADER.line, self._encoder.source]

    def train(self, lab: ModuleType, seed: int, run: Run, advance: Advance) -> None:
        train, test = split(self._words, seed)
        model = self._model(seed)
        batches = self._batches(lab, train, BATCH)
        with recorded(model, batches, run, advance), steps_counted() as taken:
            self._fine_tune(lab, model, batches, DTYPES[run.dtype])
        run.skipped = len(batches) - len(taken)
        positive = self._positive(lab, model, test, DTYPES[run.dtype])
        right = [(share > 0.5) == (one.rating > 0) for one, share in zip(test, positive, strict=True)]
        run.scores.append((len(batches), sum(right) / len(right)))
        shown = zip(test[:SHOWN], positive[:SHOWN], right[:SHOWN], strict=True)
        run.samples = [{**one._asdict(), "positive": share, "right": hit} for one, share, hit in shown]

    def one_step(self, lab: ModuleType, dtype: torch.dtype) -> Callable[[], object]:
        model, batches = self._model(seed=0), self._batches(lab, split(self._words, 0)[0][:BATCH], BATCH)
        return lambda: self._fine_tune(lab, model, batches, dtype)

    def _model(self, seed: int) -> Classifier:
        torch.manual_seed(seed)
        encoder = self._encoder
        return Classifier(copy.deepcopy(encoder.model), encoder.width, encoder.pad).to(self.device)

    def _fine_tune(self, lab: ModuleType, model: Classifier, batches: list, dtype: torch.dtype) -> None:
        warmup = math.ceil(WARMUP_SHARE * len(batches))
        frozen = [f"encoder.{self._encoder.embeddings}"]
        lab.fine_tune(model, batches, dtype, LEARNING_RATE, warmup, frozen=frozen)

    def _batches(self, lab: ModuleType, words: list[Rated], size: int) -> list[tuple[Tensor, Tensor]]:
        found = []
        for start in range(0, len(words), size):
            here = words[start : start + size]
            tokens = lab.pad([self._encoder.encode(one.word) for one in here], self._encoder.pad)
            labels = torch.tensor([int(one.rating > 0) for one in here])
            found.append((tokens.to(self.device), labels.to(self.device)))
        return found

    def _positive(self, lab: ModuleType, model: Classifier, words: list[Rated], dtype: torch.dtype) -> list[float]:
        """How sure the model is that each word is positive."""
        model.eval()
        shares: list[float] = []
        with torch.no_grad(), torch.autocast(self.device, dtype, enabled=dtype != torch.float32):
            for tokens, _ in self._batches(lab, words, TEST_BATCH):
                shares += model(tokens).float().softmax(dim=1)[:, 1].tolist()
        return shares

    def tell(self, samples: list[dict[str, Any]]) -> list[str]:
        head = f"{'word':16}{'people, -4 to 4':>16}{'positive to BERT':>18}"
        return [head] + [
            f"{one['word']:16}{one['rating']:+16.1f}{one['positive']:18.0%}" + ("" if one["right"] else "  wrong")
            for one in samples
        ]


@contextmanager
def recorded(model: nn.Module, batches: list[tuple[Tensor, Tensor]], run: Run, advance: Advance) -> Iterator[None]:
    """While it lasts, each loss goes into `run` as the model computes it: fine_tune gives them only at its end."""
    labels = {id(inputs): labels for inputs, labels in batches}

    def record(module: nn.Module, inputs: tuple[Tensor, ...], logits: Tensor) -> None:
        if id(inputs[0]) in labels:
            loss = F.cross_entropy(logits.detach().float(), labels[id(inputs[0])])
            run.losses.append((len(run.losses) + 1, loss.item()))
            advance()

    hook = model.register_forward_hook(record)
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def steps_counted() -> Iterator[list[object]]:
    """While it lasts, what it gives grows by one with each step of any optimizer."""
    taken: list[object] = []
    hook = register_optimizer_step_post_hook(lambda optimizer, args, kwargs: taken.append(None))
    try:
        yield taken
    finally:
        hook.remove()
