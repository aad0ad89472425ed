"""What `make proof-lab04` shows: the matrix of mistakes and tests, as text and as a picture, and what it found."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

from labkit.course.files import make_folder, write_whole
from labkit.course.manifest import Lab
from labkit.judge.diagnosis import Misconception
from labkit.judge.diagnosis import misconceptions as misconceptions_of
from labkit.proof.prove import Graded, first_seed, misconceptions, needless

SYMPTOMS_ALIKE = 0.95  # the share that has to be as it was written
MARK = {"passed": ".", "failed": "F", "timeout": "T", "todo": "t", "blocked": "b"}


def matrix(lab: Lab, results: list[Graded]) -> str:
    """One row an answer and one column a test, in the order of the manifest; blank where a test was not put to it."""
    columns = [list(group) for group in _tests_by_step(lab)]
    width = max(len(graded.answer.name) for graded in results)
    lines = [
        f"{'step':>{width}}  " + " ".join(f"{number:<{len(tests)}}" for number, tests in enumerate(columns, start=1))
    ]
    for graded in results:
        marks = ("".join(MARK.get(graded.states.get(test, ""), " ") for test in tests) for tests in columns)
        lines.append(f"{graded.answer.name:>{width}}  " + " ".join(marks))
    return "\n".join(lines)


def conclusion(lab: Lab, results: list[Graded], problems: list[str]) -> str:
    """How many of each kind were graded, the tests that no mistake needs, and what is wrong."""
    kinds = Counter(graded.answer.kind for graded in first_seed(results))
    seeds = {graded.seed for graded in results}
    spare = needless(lab, results)
    lines = [
        f"graded {kinds['mistake']} mistakes, {kinds['alternative']} alternatives, {kinds['replay']} replays "
        f"under {len(seeds)} seed{'s' if len(seeds) > 1 else ''}",
        f"tests without which every mistake would still be caught ({len(spare)}): {', '.join(spare) or 'none'}",
        *(f"PROBLEM: {problem}" for problem in problems),
        f"{len(problems)} problems." if problems else "The suite is proven.",
    ]
    return "\n".join(lines)


def pages(lab: Lab, results: list[Graded]) -> dict[Path, str]:
    """The files that are made from a proof: the fingerprints for diagnoses, and the instructor's page of them."""
    return {
        lab.folder / "misconceptions.json": json.dumps(misconceptions(lab, results), indent=1) + "\n",
        lab.folder / "misconceptions.md": instructor_page(lab, results),
    }


def write_pages(lab: Lab, results: list[Graded]) -> list[Path]:
    """Writes what `pages` gives; returns where."""
    for path, text in pages(lab, results).items():
        write_whole(path, text.encode())
    return list(pages(lab, results))


def stale_pages(lab: Lab, results: list[Graded]) -> list[str]:
    """The pages that are not what the proof would write; a line each."""
    page = lab.folder / "misconceptions.md"
    fresh = {
        "misconceptions.json": _same(misconceptions_of(lab), misconceptions(lab, results)),
        page.name: page.exists() and page.read_text(encoding="utf-8") == instructor_page(lab, results),
    }
    return [f"{name} is out of date: make proof-{lab.name}" for name, is_fresh in fresh.items() if not is_fresh]


def _same(written: list[Misconception], found: dict[str, dict[str, object]]) -> bool:
    """Whether the same mistakes fail the same tests, and nearly all alike: machines may differ."""
    now = {name: Misconception(name, one["says"], tuple(one["steps"]), one["fails"]) for name, one in found.items()}
    tests = [{one.name: replace(one, fails=set(one.fails)) for one in bank} for bank in (written, now.values())]
    if tests[0] != tests[1]:
        return False
    alike = [how == now[one.name].fails[test] for one in written for test, how in one.fails.items()]
    return sum(alike) >= SYMPTOMS_ALIKE * len(alike)


def draw_matrix(lab: Lab, results: list[Graded], path: Path) -> None:
    """Draws the mistakes (rows, sorted by the first test that catches them) against the tests (columns)."""
    from matplotlib import pyplot as plt

    from labkit.toolbox.plots import saved

    tests = [test for group in _tests_by_step(lab) for test in group]
    rows = [graded for graded in first_seed(results) if graded.answer.kind == "mistake"]
    caught = [[test in graded.lost for test in tests] for graded in rows]
    order = sorted(range(len(rows)), key=lambda row: [not hit for hit in caught[row]])
    figure, axes = plt.subplots(figsize=(9, 10), layout="constrained")
    axes.imshow([caught[row] for row in order], aspect="auto", cmap="Blues", vmin=0, vmax=1.15, interpolation="nearest")
    edge = -0.5
    for step, group in zip(lab.steps, _tests_by_step(lab), strict=True):
        axes.text(edge + len(group) / 2, -0.01 * len(rows), f"step {step.number}", ha="center", va="bottom")
        edge += len(group)
        axes.axvline(edge, color="0.6", linewidth=0.8)
    axes.set_xticks(range(len(tests)), [test.removeprefix("test_").replace("_", " ") for test in tests])
    axes.tick_params(axis="x", labelsize=6.5, rotation=90)
    axes.set_ylabel(f"{len(rows)} wrong answers, sorted by the first test that catches them")
    axes.set_yticks([])
    figure.suptitle(f"Lab {lab.number:02d}: which test catches which wrong answer (blue: the test fails it)")
    make_folder(path.parent, "proof:")
    write_whole(path, saved(figure, "png", dpi=120))


def instructor_page(lab: Lab, results: list[Graded]) -> str:
    """The misconceptions as a page, by step, each with the tests that show it."""
    lines = [
        f"# Misconceptions of Lab {lab.number:02d}",
        "",
        f"Every sentence is a wrong answer in `tests/mistakes/{lab.stem}` that the graded suite is proven to catch. A",
        'submission that fails the same tests in the same way is told so: "This looks like: ...". This page is written',
        f"by `make proof-{lab.name}`.",
    ]
    known = misconceptions(lab, results)
    step_of = {behaviour.id: behaviour.step for behaviour in lab.behaviours}
    for step in lab.steps:
        lines += [
            "",
            f"## Step {step.number}: {step.title}",
            "",
            "| What the code does | Points lost in | Mistake |",
            "|---|---|---|",
        ]
        for name, entry in known.items():
            if min(entry["steps"]) == step.number:
                own = [test for test in entry["fails"] if step_of[test] == step.number]
                shown = ", ".join(test.removeprefix("test_").replace("_", " ") for test in own[:2])
                others = len(entry["fails"]) - len(own[:2])
                more = f" and {others} more" if others else ""
                says = str(entry["says"]).replace("|", "\\|")
                lines.append(f"| {says} | {shown}{more} | {name.replace('_', ' ')} |")
    return "\n".join(lines) + "\n"


def _tests_by_step(lab: Lab) -> list[list[str]]:
    return [[one.id for one in lab.behaviours if one.step == step.number] for step in lab.steps]
