"""What a proof shows: the matrix of mistakes and tests, what it found, and the pages that are made from it."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from labkit.course.files import write_whole
from labkit.course.manifest import Lab
from labkit.judge.diagnosis import Misconception
from labkit.proof.problems import needless, out_of_date
from labkit.proof.prove import Proof

MARK = {"passed": ".", "timeout": "T", "todo": "t", "blocked": "b", "skipped": "s"}  # "F" for any other
LEGEND = ". passed  F failed  T timeout  t todo  b blocked; blank: not put to it"


def matrix(lab: Lab, proof: Proof) -> list[str]:
    """Step by step one row an answer and one column a test, in the order of the manifest."""
    lines = [LEGEND]
    for step in lab.steps:
        tests = [behaviour.id for behaviour in lab.behaviours if behaviour.step == step.number]
        rows = [graded for graded in proof.first_seed if graded.answer.step in (None, step.number)]
        width = max(len(graded.answer.name) for graded in rows)
        lines += ["", f"Step {step.number}: {step.title}"]
        for graded in rows:
            states = graded.states
            marks = "".join(MARK.get(states[test], "F") if test in states else " " for test in tests)
            lines.append(f"{graded.answer.name:>{width}}  {marks}")
    return lines


def conclusion(lab: Lab, proof: Proof, problems: list[str]) -> str:
    """How many of each kind were graded, the tests that no mistake needs, and what is wrong."""
    kinds = Counter(graded.answer.kind for graded in proof.first_seed)
    seeds = len({graded.job.seed for graded in proof.results if graded.answer.kind == "stub"})
    spare = needless(lab, proof.misconceptions)
    lines = [
        f"Graded {counted(kinds['mistake'], 'mistake')}, {counted(kinds['alternative'], 'alternative')} and "
        f"{counted(kinds['replay'], 'replay')} under {counted(seeds, 'seed')}.",
        f"Tests you could delete and still catch every mistake ({len(spare)}): {', '.join(spare) or 'none'}.",
        *(f"Not proven on this machine, which lacks a package: {test}." for test in proof.skipped),
        *(f"PROBLEM: {problem}" for problem in problems),
        f"{counted(len(problems), 'problem')}." if problems else "The suite is proven.",
    ]
    return "\n".join(lines)


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def fingerprints(misconceptions: Sequence[Misconception]) -> str:
    """`misconceptions.json`: a line an entry, so that its changes can be read."""
    entries = [
        f"{json.dumps(one.name)}: "
        + json.dumps({"says": one.says, "steps": list(one.steps), "fails": dict(one.fails)}, ensure_ascii=False)
        for one in misconceptions
    ]
    return "{\n" + ",\n".join(entries) + "\n}\n"


def instructor_page(lab: Lab, misconceptions: Sequence[Misconception]) -> str:
    """`misconceptions.md`: by step and test, every mistake, below what is right, why that matters, and where to read.

    A mistake that fails several tests is below the one that the fewest others fail: that says most about it.
    """
    failing = Counter(test for one in misconceptions for test in one.fails)
    of_test: dict[str, list[Misconception]] = {}
    for one in misconceptions:
        if one.fails:
            of_test.setdefault(min(one.fails, key=lambda test: failing[test]), []).append(one)
    lines = [
        f"# Misconceptions of Lab {lab.number:02d}",
        "",
        f"Every entry is a wrong answer in `tests/mistakes/{lab.stem}` that the graded suite is proven to catch. A",
        'submission that fails the same tests in the same way gets its sentence: "This looks like: ...". Entries are',
        f"below the test that says most about them. `make proof-{lab.name}` writes this page.",
    ]
    for step in lab.steps:
        lines += ["", f"## Step {step.number}: {step.title}"]
        for behaviour in lab.behaviours:
            if behaviour.step == step.number and (mistakes := of_test.get(behaviour.id)):
                reading = f"{os.path.relpath(lab.paths.reading, lab.folder)}#{behaviour.read}"
                lines += ["", f"### `{behaviour.id}`", "", f"What is right: {lab.asks(behaviour)}", ""]
                lines += [f"Why it matters: {behaviour.why} [Read more]({reading}).", ""]
                lines += [f"- **{one.name.replace('_', ' ')}**: {one.says}" for one in mistakes]
    return "\n".join(lines) + "\n"


def write_pages(lab: Lab, proof: Proof) -> list[Path]:
    """Writes both pages; returns where."""
    pages = _pages(lab, proof)
    for path, text in pages.items():
        write_whole(path, text.encode())
    return list(pages)


def stale_pages(lab: Lab, proof: Proof) -> list[str]:
    """What a quick check shows to be no longer what the pages say; a line each."""
    path, page = lab.paths.misconceptions_page, instructor_page(lab, proof.misconceptions)
    remedy = f"make proof-{lab.name}"
    stale = [f"{lab.paths.misconceptions.name} is out of date: {line}; {remedy}" for line in out_of_date(proof)]
    if not path.exists() or path.read_text(encoding="utf-8") != page:
        stale.append(f"{path.name} is out of date; {remedy}")
    return stale


def _pages(lab: Lab, proof: Proof) -> dict[Path, str]:
    return {
        lab.paths.misconceptions: fingerprints(proof.misconceptions),
        lab.paths.misconceptions_page: instructor_page(lab, proof.misconceptions),
    }
