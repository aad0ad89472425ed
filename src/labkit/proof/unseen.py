"""Grades answers by writers who have seen only the skeleton and the handout: the measure of a suite.

A folder, or each folder in it, is a writer's: `notes.json` says of every file whether it is wrong or right, and one
overlay lies beside it for each.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.course.errors import LabError
from labkit.course.manifest import Lab
from labkit.proof.bank import Answer, docstring
from labkit.proof.grading import Graded, Job, grade
from labkit.proof.prove import Choice

NOTES = "notes.json"
KINDS = ("wrong", "right")
GOAL = 0.95  # the share of wrong answers that has to be caught


@dataclass(frozen=True)
class Unseen:
    """What the suite makes of one unseen answer."""

    writer: str
    answer: Answer  # its kind is wrong or right
    graded: Graded

    @property
    def as_claimed(self) -> bool:
        return bool(self.graded.lost) == (self.answer.kind == "wrong")

    def line(self) -> str:
        lost = self.graded.lost
        if self.answer.kind == "wrong":
            verdict = f"caught by {lost[0]}" if lost else f"NOT CAUGHT: {self.answer.says}"
        else:
            states = ", ".join(f"{test} ({self.graded.states[test]})" for test in lost)
            verdict = f"REJECTED, though right, by {states}" if lost else "accepted"
        return f"{self.writer}/{self.answer.name}: {verdict}"


def read_folder(folder: Path) -> list[tuple[str, Answer]]:
    """Every writer's answers, with the writer's name.

    Raises:
        LabError: there are no notes, or they do not fit the files beside them.
    """
    if not folder.is_dir():
        raise LabError(f"unseen: there is no folder {folder}")
    notes = [folder / NOTES] if (folder / NOTES).exists() else sorted(folder.glob(f"*/{NOTES}"))
    if not notes:
        raise LabError(f"unseen: {folder} holds no {NOTES}, and neither does a folder in it; write one for each writer")
    return [(path.parent.resolve().name, answer) for path in notes for answer in _answers(path)]


def grade_unseen(
    lab: Lab, answers: Iterable[tuple[str, Answer]], progress: Callable[[Graded], None] = lambda graded: None
) -> list[Unseen]:
    """The suite's verdicts: of a wrong answer up to the first test that it fails, of a right one all.

    Raises:
        LabError: an answer cannot be loaded.
    """
    answers = list(answers)
    every = tuple(behaviour.id for behaviour in lab.behaviours)
    choice = Choice(lab, grade(lab, [Job(Answer("solution", "solution"), 0, every)])[0])
    jobs = [Job(one, 0, choice.by_cost(), until_lost=one.kind == "wrong") for _, one in answers]
    results = grade(lab, jobs, progress)
    for graded in results:
        if graded.error:
            raise LabError(f"unseen: {graded.answer.overlay}: {graded.error}")
    return [Unseen(writer, one, graded) for (writer, one), graded in zip(answers, results, strict=True)]


def report(results: list[Unseen]) -> list[str]:
    """A line an answer, then the totals of each writer and of all."""
    lines = [one.line() for one in results]
    for writer in dict.fromkeys(one.writer for one in results):
        lines.append(f"{writer}: {_totals([one for one in results if one.writer == writer])}")
    return [*lines, f"all: {_totals(results)}"]


def is_good_enough(results: list[Unseen]) -> bool:
    """Whether no right answer is rejected, and of the wrong ones at least GOAL is caught."""
    wrong = [one.as_claimed for one in results if one.answer.kind == "wrong"]
    return sum(wrong) >= GOAL * len(wrong) and all(one.as_claimed for one in results if one.answer.kind == "right")


def _answers(notes: Path) -> list[Answer]:
    try:
        entries = json.loads(notes.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabError(f"{notes}: cannot be read as JSON ({error})") from None
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise LabError(f'{notes}: must map each file to {{"kind": "wrong" or "right", "idea": ..., "sentence": ...}}')
    unnamed = sorted({path.name for path in notes.parent.glob("*.py")} - entries.keys())
    if unnamed:
        raise LabError(f"{notes}: says nothing of {', '.join(unnamed)}, which lies beside it")
    return [_answer(notes, name, entry) for name, entry in entries.items()]


def _answer(notes: Path, name: str, entry: dict[str, Any]) -> Answer:
    path = notes.parent / name
    if entry.get("kind") not in KINDS:
        raise LabError(f"{notes}: {name}: kind must be wrong or right, not {entry.get('kind')!r}")
    if not isinstance(entry.get("idea"), str):
        raise LabError(f"{notes}: {name}: idea must say in one sentence what is wrong, or different")
    if not path.is_file():
        raise LabError(f"{notes}: names {name}, which is not beside it")
    docstring(path)  # it is Python
    return Answer(path.stem, entry["kind"], entry["idea"], overlay=path.resolve())


def _totals(results: list[Unseen]) -> str:
    wrong = [one.as_claimed for one in results if one.answer.kind == "wrong"]
    right = [one.as_claimed for one in results if one.answer.kind == "right"]
    share = f" ({sum(wrong) / len(wrong):.0%})" if wrong else ""
    return f"{sum(wrong)} of {len(wrong)} wrong answers caught{share}, {sum(right)} of {len(right)} right ones accepted"
