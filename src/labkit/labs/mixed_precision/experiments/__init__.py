"""Experiments: each measures one thing about the formats on this machine, and shows it as table, picture and sentence.

An experiment is a module here. It offers

- `TITLE`: what it shows, a few words;
- `measure(lab)`: runs it with the lab file `lab`, within a minute on two cores, seeds fixed; gives what JSON can hold;
- `table(data)`: the rows of the table, headings first;
- `notice(data)`: a sentence or two of what to notice, every figure in it from `data`;
- `draw(data)`: the picture.

Only `measure` computes: the rest shows data that was just measured, or that a JSON file kept.
"""

NAMES = (
    "accumulate",
    "audit",
    "formats",
    "loss-scale",
    "master-weights",
    "memory",
    "sensitive",
    "speed",
    "underflow",
)
