"""Three small labs, as somebody would write them: a file's path and its text each.

`TINY` has no command line, `GREETING` has bare ranks in every step, `COUNTING` has data, builds on another lab's file,
and needs a package that is not there.
"""

MANIFEST = """\
number = {number}
title = "{title}"
stem = "{stem}"
reading = "docs/{number:02d}_{stem}.md"
goal = "{goal}"
"""
STEP = """
[[steps]]
number = {number}
title = "{title}"
minutes = 5
read = "{read}"
hints = ["{title}: what is it?", "A sum of terms.", "`{function}` is one line."]
{more}
[steps.todo]
{function} = "write {function}"
"""
BEHAVIOUR = """
[[behaviours]]
id = "{id}"
step = {step}
points = 3
read = "{read}"
why = "It is the least that one can ask."
"""


def _step(number: int, title: str, function: str, more: str = "") -> str:
    return STEP.format(number=number, title=title, read=title.lower(), function=function, more=more)


def _behaviour(step: int, title: str, test: str) -> str:
    return BEHAVIOUR.format(step=step, read=title.lower(), id=test)


TINY = {
    "labs/lab91_tiny/lab.toml": MANIFEST.format(number=91, title="Tiny", stem="tiny", goal="Double a tensor.")
    + _step(1, "Doubling", "double")
    + _behaviour(1, "Doubling", "test_double_is_twice"),
    "docs/91_tiny.md": "# Tiny\n\n## Doubling\n\nTwice x is x + x.\n",
    "solutions/tiny.py": '''\
"""Lab 91: tiny."""

from torch import Tensor


def double(x: Tensor) -> Tensor:
    """Twice `x`."""
    return _sum(x, x)


def _sum(x: Tensor, y: Tensor) -> Tensor:
    return x + y
''',
    "tests/scenarios/tiny.py": '''\
"""What the suite of Lab 91 makes the code under test do."""

from torch import Tensor

from labkit.observe import Submission


def doubled(lab: Submission, x: Tensor) -> Tensor:
    """What double makes of `x`."""
    return lab.double(x)
''',
    "tests/test_tiny.py": '''\
"""The graded suite of Lab 91."""

from labkit.judge.expect import Tolerance, expect
from scenarios import tiny as lab91

EXACT = Tolerance("doubling moves the exponent only", atol=0.0)


def test_double_is_twice(observe, draw):
    """double(x) is x + x."""
    x = draw.normal(10)
    seen = observe(lab91.doubled, x=x)
    expect(seen, "double(x)").close_to(2 * x, EXACT, why="add x to itself")
''',
    "tests/mistakes/tiny/1_doubling/squares.py": (
        '"""squares instead of doubling."""\n\n\ndef double(x):\n    return x * x\n'
    ),
    "tests/alternatives/tiny/1_doubling/shifts.py": (
        '"""a product instead of a sum."""\n\n\ndef double(x):\n    return 2 * x\n'
    ),
}

GREETING = {
    "labs/lab92_greeting/lab.toml": MANIFEST.format(number=92, title="Greeting", stem="greeting", goal="Meet.")
    + _step(1, "Meeting", "meet", 'ranks = 2\ngroup = "bare"')
    + _step(2, "Adding", "total", 'ranks = 2\ngroup = "bare"')
    + _behaviour(1, "Meeting", "test_everybody_is_there")
    + _behaviour(2, "Adding", "test_total_is_of_all_ranks"),
    "docs/92_greeting.md": "# Greeting\n\n## Meeting\n\nRanks meet.\n\n## Adding\n\nRanks add.\n",
    "solutions/greeting.py": '''\
"""Lab 92: greeting."""

import torch.distributed as dist
from torch import Tensor


def meet() -> int:
    """Forms a gloo group from what the environment has; the number of its ranks."""
    dist.init_process_group("gloo")
    return dist.get_world_size()


def total(x: Tensor) -> Tensor:
    """The sum of every rank's `x`."""
    dist.all_reduce(x)
    return x
''',
    "tests/scenarios/greeting.py": '''\
"""What the suite of Lab 92 makes the code under test do."""

import torch.distributed as dist
from torch import Tensor

from labkit.observe import Submission


def met(lab: Submission, x: Tensor) -> Tensor:
    """Every element of `x`, times the ranks that met."""
    try:
        return x * lab.meet()
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def summed(lab: Submission, x: Tensor) -> Tensor:
    """The total of `x` times the rank plus one."""
    dist.init_process_group("gloo")
    try:
        return lab.total(x * (dist.get_rank() + 1))
    finally:
        dist.destroy_process_group()
''',
    "tests/test_greeting.py": '''\
"""The graded suite of Lab 92."""

from labkit.judge.expect import Tolerance, expect
from scenarios import greeting as lab92

ROUNDED = Tolerance("two float32 products and a sum, each rounded once", rtol=1e-6)


def test_everybody_is_there(observe, draw):
    """meet() forms a group of all ranks."""
    x = draw.normal(10)
    for rank in observe(lab92.met, ranks=2, x=x):
        expect(rank, "meet()").close_to(2 * x, ROUNDED, why="init_process_group takes the size from the environment")


def test_total_is_of_all_ranks(observe, draw):
    """total(x) is the sum of every rank's x."""
    x = draw.normal(10)
    for rank in observe(lab92.summed, ranks=2, x=x):
        expect(rank, "total(x)").close_to(3 * x, ROUNDED, why="all_reduce adds the tensors of all ranks")
''',
    "tests/mistakes/greeting/1_meeting/counts_one.py": (
        '"""forms the group and counts itself only."""\n\n\ndef meet():\n'
        '    dist.init_process_group("gloo")\n    return 1\n'
    ),
    "tests/mistakes/greeting/2_adding/keeps_its_own.py": (
        '"""gives what the rank itself has."""\n\n\ndef total(x):\n    return x\n'
    ),
    "tests/alternatives/greeting/1_meeting/asks_later.py": (
        '"""a group object is asked for its size."""\n\n\ndef meet():\n'
        '    dist.init_process_group("gloo")\n    return dist.group.WORLD.size()\n'
    ),
    "tests/alternatives/greeting/2_adding/gathers.py": (
        '"""gathers and adds."""\n\n\ndef total(x):\n'
        "    every = [x.clone() for _ in range(dist.get_world_size())]\n"
        "    dist.all_gather(every, x)\n    return sum(every)\n"
    ),
}

COUNTING = {
    "labs/lab93_counting/lab.toml": 'builds_on = ["tiny"]\ndata = ["data/words.txt"]\n'
    + MANIFEST.format(number=93, title="Counting", stem="counting", goal="Count letters.")
    + _step(1, "Counting", "weigh")
    + _step(2, "Plotting", "plot", 'needs = ["no-such-package"]')
    + _behaviour(1, "Counting", "test_words_are_weighed")
    + _behaviour(2, "Plotting", "test_plot_has_every_word"),
    "labs/lab93_counting/data/words.txt": "one three fifteen\n",
    "docs/93_counting.md": "# Counting\n\n## Counting\n\nCount.\n\n## Plotting\n\nPlot.\n",
    "solutions/counting.py": '''\
"""Lab 93: counting."""

from pathlib import Path

import torch
from tiny import double
from torch import Tensor


def weigh(path: str, weights: Tensor) -> Tensor:
    """Twice the length of each word in the file, times its weight."""
    return double(torch.tensor([len(word) for word in Path(path).read_text().split()])) * weights


def plot(lengths: Tensor) -> Tensor:
    """The heights of the bars."""
    return lengths
''',
    "tests/scenarios/counting.py": '''\
"""What the suite of Lab 93 makes the code under test do."""

from torch import Tensor

from labkit.observe import Submission


def weighed(lab: Submission, path: str, weights: Tensor) -> Tensor:
    """What weigh makes of a file."""
    return lab.weigh(path, weights)


def plotted(lab: Submission, lengths: Tensor) -> Tensor:
    """What plot makes of lengths."""
    return lab.plot(lengths)
''',
    "tests/test_counting.py": '''\
"""The graded suite of Lab 93."""

from pathlib import Path

import torch

from labkit.judge.expect import Tolerance, expect
from scenarios import counting as lab93

WORDS = Path(__file__).parents[1] / "labs" / "lab93_counting" / "data" / "words.txt"
ROUNDED = Tolerance("one float32 product", rtol=1e-6)


def test_words_are_weighed(observe, draw):
    """weigh counts the letters of each word twice."""
    weights = draw.normal(3)
    lengths = torch.tensor([len(word) for word in WORDS.read_text().split()])
    seen = observe(lab93.weighed, path=str(WORDS), weights=weights)
    expect(seen, "weigh(path, weights)").close_to(2 * lengths * weights, ROUNDED, why="double each length")


def test_plot_has_every_word(observe, draw):
    """plot draws a bar for every word."""
    import no_such_package  # noqa: F401

    lengths = draw.normal(10)
    expect(observe(lab93.plotted, lengths=lengths), "plot(lengths)").close_to(lengths, ROUNDED, why="one bar a word")
''',
    "tests/mistakes/counting/1_counting/once.py": (
        '"""counts every letter once."""\n\n\ndef weigh(path, weights):\n'
        "    return torch.tensor([len(word) for word in Path(path).read_text().split()]) * weights\n"
    ),
    "tests/mistakes/counting/2_plotting/empty.py": (
        '"""draws no bar."""\n\n\ndef plot(lengths):\n    return lengths * 0\n'
    ),
    "tests/alternatives/counting/1_counting/in_a_loop.py": (
        '"""a loop over the words."""\n\n\ndef weigh(path, weights):\n'
        "    words = Path(path).read_text().split()\n"
        "    return torch.stack([2 * len(word) * weight for word, weight in zip(words, weights, strict=True)])\n"
    ),
    "tests/alternatives/counting/2_plotting/copies.py": (
        '"""a copy of the lengths."""\n\n\ndef plot(lengths):\n    return lengths.clone()\n'
    ),
}
