"""Two ranks of this machine for an experiment."""

from types import ModuleType
from typing import Any

from labkit.course.errors import LabError
from labkit.observe.answer import Ending
from labkit.observe.rank import Work
from labkit.observe.rank_group import Shape
from labkit.observe.ranks import RankServer

RANKS = 2
SECONDS = 120.0  # for the trainings, on a busy machine


def on_ranks(work: Work, lab: ModuleType, settings: Any = None) -> Any:
    """What `work([file, settings])` answers on rank 0 of RANKS, all of which run it. Raises LabError if one fails.

    `work` is a function of a module, and `settings` are JSON.
    """
    server = RankServer(work, "cpu", clean=False)
    try:
        answers = server.run([str(lab.__file__), settings], Shape(RANKS), SECONDS)
    finally:
        server.close()
    for rank, answer in enumerate(answers):
        if answer.ending != Ending.RETURNED:
            raise LabError(f"rank {rank}: {answer.raised or answer.says}")
    return answers[0].value
