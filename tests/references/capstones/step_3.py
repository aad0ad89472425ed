"""Drawn inputs of step 3, decoding, and plain formulas of what is right."""

import torch
from torch import Tensor

from labkit.judge.draw import Draw

PAD, SOS, EOS = 0, 1, 2
STATES, TOKENS = 97, 9  # of the scenario's Automaton


def drawn_table(draw: Draw) -> Tensor:
    """Logits of the next token in each state of the Automaton: about one state in four ends the row."""
    table = draw.normal(STATES, TOKENS)
    table[:, EOS] = torch.where(torch.tensor(draw.pattern(STATES, share=0.25)), 9.0, -9.0)
    return table


def said(table: Tensor, key: int, count: int) -> list[int]:
    """The first `count` tokens that the Automaton says of a source that begins with `key`, also those after <eos>."""
    state, tokens = (key + SOS + 1) % STATES, []
    for place in range(2, count + 2):
        tokens.append(int(table[state].argmax()))
        state = (state + place**2 * (tokens[-1] + 1)) % STATES
    return tokens


def length(tokens: list[int]) -> int:
    """Up to the first <eos>, it included; of all tokens if there is none."""
    return tokens.index(EOS) + 1 if EOS in tokens else len(tokens)


def drawn_source(draw: Draw, table: Tensor, lengths: list[int]) -> Tensor:
    """A source whose rows have answers of these lengths, <eos> included, as far as the table has such answers."""
    keys = draw.shuffled(range(3, STATES))
    of = {key: length(said(table, key, 12)) for key in keys}
    chosen = [min(keys, key=lambda key: abs(of[key] - wanted)) for wanted in lengths]
    return torch.tensor(chosen)[:, None].repeat(1, draw.integer(1, 4))


def answers(table: Tensor, source: Tensor, longest: int) -> Tensor:
    """What greedy decoding gives: each row up to its <eos>, then pads, as wide as the longest."""
    rows = []
    for key in source[:, 0].tolist():
        tokens = said(table, key, longest)
        rows.append(tokens[: length(tokens)])
    width = max(map(len, rows))
    return torch.tensor([row + [PAD] * (width - len(row)) for row in rows])


def drawn_sentence(draw: Draw, size: int) -> list[int]:
    """Tokens without <eos>, pads among them, then <eos>."""
    tokens = draw.integers(size, low=3, high=30).tolist()
    return [*(PAD if pads else token for token, pads in zip(tokens, draw.pattern(size, share=0.3), strict=True)), EOS]


def changed(draw: Draw, sentence: list[int], kind: str) -> list[int]:
    """A decoded row for this sentence: right, or wrong in one way."""
    place = draw.integer(0, len(sentence) - 2)
    other = 3 + (sentence[place] - 2) % 27
    rows = {
        "right": sentence,
        "another token": [*sentence[:place], other, *sentence[place + 1 :]],
        "another last token": [*sentence[:-2], 3 + (sentence[-2] - 2) % 27, EOS],
        "too early": [*sentence[:place], EOS, *sentence[place + 1 :]],
        "too late": [*sentence[:-1], other, EOS],
        "never ends": [*sentence[:-1], PAD, PAD],
        "goes on instead": [*sentence[:-1], other, other],
        "begins with sos": [SOS, *sentence],
        "pad inside": [*sentence[:place], PAD, *sentence[place:]],
        "pad before the end": [*sentence[:-1], PAD, EOS],
        "swapped": [*sentence[:-1][::-1], EOS],
    }
    return rows[kind]


def table_of(draw: Draw, rows: list[list[int]], after: bool) -> Tensor:
    """The rows as a tensor, filled up with pads; or with drawn tokens, <eos> among them, where a row has ended."""
    width = max(map(len, rows)) + draw.integer(0, 2)
    filled = [row + [PAD] * (width - len(row)) for row in rows]
    if after:
        rest = draw.integers(len(rows), width, high=30)
        rest[:, draw.integer(0, width - 1)] = EOS
        filled = [row + some[len(row) :] if EOS in row else full
                  for row, some, full in zip(rows, rest.tolist(), filled, strict=True)]  # fmt: skip
    return torch.tensor(filled)
