"""The job "words": a Transformer learns to spell the numbers from 0 to 9999. The data are generated."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.amp import GradScaler
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR

from labkit.labs.capstones.training import DTYPES, Advance, Run

NUMBERS = 10_000
TRAIN, TEST = 2000, 500
STEPS = 900
MEASURED = 150  # steps from one look at the unseen numbers to the next
BATCH = 128
WIDTH = 64
WARMUP = 300
FACTOR = 0.5  # of the learning rate; 1.0 is about as good in the mean, and less steady
BETAS, EPS = (0.9, 0.98), 1e-9  # https://arxiv.org/abs/1706.03762, section 5.3
MAX_GRAD_NORM = 1.0
SHOWN = 6


class Language:
    """Numbers as tokens of the lab's: digits as sources, words as targets."""

    def __init__(self, lab: ModuleType) -> None:
        self._lab = lab
        words = dict.fromkeys(word for number in range(NUMBERS) for word in lab.words(number))
        self._words = ["<pad>", "<sos>", "<eos>", *words]
        self._tokens = {word: token for token, word in enumerate(self._words)}
        self.source_tokens = lab.EOS + 11
        self.target_tokens = len(self._words)

    def batch(self, numbers: list[int], device: str) -> tuple[Tensor, Tensor]:
        """Sources (N, S) and targets (N, T), each target from <sos> to <eos>."""
        lab, first = self._lab, self._lab.EOS + 1
        sources = [[first + int(digit) for digit in str(number)] for number in numbers]
        spelt = [[self._tokens[word] for word in lab.words(number)] for number in numbers]
        targets = [[lab.SOS, *tokens, lab.EOS] for tokens in spelt]
        return lab.pad(sources).to(device), lab.pad(targets).to(device)

    def text(self, tokens: list[int]) -> str:
        """What a decoded row says."""
        ends = tokens.index(self._lab.EOS) if self._lab.EOS in tokens else len(tokens)
        return " ".join(self._words[token] for token in tokens[:ends]) + ("" if ends < len(tokens) else " ...")


class Words:
    name = "words"
    title = "A Transformer spells numbers"

    def __init__(self, device: str = "cpu", steps: int = STEPS, measured: int = MEASURED) -> None:
        """A training of `steps`, with a look at the unseen numbers after every `measured` of them."""
        self.device = device
        self.steps = steps
        self._measured = measured
        self.sources = ["numbers from 0 to 9999, generated"]
        self.metric = f"exact match on {TEST} unseen numbers"

    def train(self, lab: ModuleType, seed: int, run: Run, advance: Advance) -> None:
        language = Language(lab)
        order = torch.randperm(NUMBERS, generator=torch.Generator().manual_seed(seed)).tolist()
        train, unseen = order[:TRAIN], order[TRAIN : TRAIN + TEST]
        one_step, model = self._trainer(lab, language, DTYPES[run.dtype], seed)
        source, target = language.batch(unseen, self.device)
        for step in range(1, self.steps + 1):
            picks = torch.randperm(len(train))[:BATCH].tolist()
            loss, stepped = one_step(language.batch([train[pick] for pick in picks], self.device))
            run.losses.append((step, loss))
            run.skipped += not stepped
            advance()
            if step % self._measured == 0 or step == self.steps:
                decoded = lab.greedy_decode(model, source, target.shape[1], DTYPES[run.dtype])
                run.scores.append((step, lab.exact_match(decoded, target[:, 1:])))
        run.samples = _samples(language, unseen, decoded, target)

    def one_step(self, lab: ModuleType, dtype: torch.dtype) -> Callable[[], object]:
        language = Language(lab)
        step, _ = self._trainer(lab, language, dtype, seed=0)
        batch = language.batch(list(range(NUMBERS - BATCH, NUMBERS)), self.device)
        return lambda: step(batch)

    def _trainer(
        self, lab: ModuleType, language: Language, dtype: torch.dtype, seed: int
    ) -> tuple[Callable[[tuple[Tensor, Tensor]], tuple[float, bool]], torch.nn.Module]:
        """What trains on a batch, and the model that it trains."""
        torch.manual_seed(seed)
        model = lab.Seq2Seq(language.source_tokens, language.target_tokens, d_model=WIDTH).to(self.device)
        optimizer = Adam(model.parameters(), lr=1.0, betas=BETAS, eps=EPS, fused=True)
        scheduler = LambdaLR(optimizer, lambda taken: lab.noam(taken + 1, WIDTH, WARMUP, FACTOR))
        scaler = GradScaler(self.device, enabled=dtype == torch.float16)

        def step(batch: tuple[Tensor, Tensor]) -> tuple[float, bool]:
            return lab.train_step(model, batch, optimizer, scheduler, scaler, dtype, MAX_GRAD_NORM)

        return step, model

    def tell(self, samples: list[dict[str, Any]]) -> list[str]:
        return [
            f"{sample['number']:4d}  {sample['said']}" + ("" if sample["right"] else f"  (no: {sample['words']})")
            for sample in samples
        ]


def _samples(language: Language, numbers: list[int], decoded: Tensor, target: Tensor) -> list[dict[str, Any]]:
    """Some numbers that were spelt right, and some that were not."""
    found = []
    for number, said, right in zip(numbers, decoded.tolist(), target[:, 1:].tolist(), strict=True):
        words = language.text(right)
        found.append({"number": number, "said": language.text(said), "words": words})
        found[-1]["right"] = found[-1]["said"] == words
    wrong = [sample for sample in found if not sample["right"]][: SHOWN // 2]
    return [sample for sample in found if sample["right"]][: SHOWN - len(wrong)] + wrong
