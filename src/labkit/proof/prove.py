"""Proves a graded suite: wrong answers must lose points in their own step, right ones keep all, a replay none.

Every answer is graded by the suite itself, in a process forked from this one. This process only imports: threads that
it had started would hang its children, so nothing here computes with torch.
"""

import ast
import json
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from labkit.course.errors import LabError
from labkit.course.manifest import ROOT, Lab
from labkit.course.records import LOST, Record
from labkit.judge.diagnosis import misconceptions as misconceptions_of
from labkit.judge.diagnosis import symptom
from labkit.judge.suite import import_once, run_suite
from labkit.observe.child import run_forked

KINDS = ("mistake", "alternative")  # of overlays
OTHER_SEED = 1000  # the replay answers with values recorded under seed + OTHER_SEED


@dataclass(frozen=True)
class Answer:
    """One answer to grade. `kind` is solution, stub, replay, mistake or alternative; `steps` are those it touches.

    `tests`: the names of those to put to it; None for the whole suite.
    """

    name: str
    kind: str
    says: str
    steps: frozenset[int]
    options: tuple[str, ...]
    tests: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Graded:
    """The suite's verdicts on an answer under one seed: the state of every test, the symptom of a failed one."""

    answer: Answer
    seed: int
    states: dict[str, str]
    symptoms: dict[str, str]

    @property
    def lost(self) -> list[str]:
        return [test for test, state in self.states.items() if state in LOST]


def overlays(lab: Lab, kind: str, root: Path = ROOT) -> list[Answer]:
    """The bank of this kind, "mistake" or "alternative": files of functions that replace those of the solution.

    Raises:
        LabError: a file has no docstring.
    """
    return [_overlay(path, kind, lab) for path in sorted((root / "tests" / f"{kind}s" / lab.stem).glob("*/*.py"))]


def _overlay(path: Path, kind: str, lab: Lab) -> Answer:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    says = " ".join((ast.get_docstring(tree) or "").split())
    if not says:
        raise LabError(f"{path}: needs a docstring: what is wrong, or different, in one sentence")
    steps = frozenset([int(path.parent.name.partition("_")[0])])
    return Answer(path.stem, kind, says, steps, ("--impl", "solutions", "--overlay", str(path)))


def prove(
    lab: Lab, seeds: list[int], tests: str = "own", progress: Callable[[Graded], None] = lambda graded: None
) -> list[Graded]:
    """Grades the solution, the stub, a replay and both banks under every seed, in parallel on all cores.

    `tests` says which are put to the banks: "every" test to every answer; or to an alternative those of its own steps
    and of later ones, whose functions may call it, and to a mistake those of its "own" steps, which have to catch it;
    or, quicker, those of them that it is "known" to fail since misconceptions.json was written. Under the seeds after
    the first it is "own", and for a mistake the first test that fails is enough.
    """
    try:
        known = {one.name: one.fails for one in misconceptions_of(lab)}
    except LabError:
        if tests == "known":
            raise
        known = {}  # written anew
    every = frozenset(step.number for step in lab.steps)
    with TemporaryDirectory(prefix="labkit-proof-") as folder:
        scratch = Path(folder)
        stub = scratch / "stub"
        stub.mkdir()
        shutil.copy(lab.folder / "skeleton.py", stub / f"{lab.stem}.py")
        whole = [
            Answer("solution", "solution", "", every, ("--impl", "solutions")),
            Answer("stub", "stub", "", every, ("--impl", str(stub))),
        ]
        bank = [one for kind in KINDS for one in overlays(lab, kind)]
        first = [with_tests(lab, one, tests, known.get(one.name, ())) for one in bank]
        later = [_until_caught(with_tests(lab, one, "own"), known.get(one.name, ())) for one in bank]
        jobs = [(answer, seeds[0]) for answer in [*whole, *first]]
        jobs += [(answer, seed) for seed in seeds[1:] for answer in [*whole, *later]]
        recordings = [(_recording(scratch, seed, every), seed + OTHER_SEED) for seed in seeds]
        list(_grade(lab, recordings, scratch))
        jobs += [(_replay(scratch, seed, every), seed) for seed in seeds]
        results = []
        for graded in _grade(lab, jobs, scratch):
            progress(graded)
            results.append(graded)
    order = {job: index for index, job in enumerate(jobs)}
    return sorted(results, key=lambda graded: order[graded.answer, graded.seed])


def with_tests(lab: Lab, answer: Answer, tests: str, known: Collection[str] = ()) -> Answer:
    """The answer with the tests that are put to it; see `prove`."""
    if tests == "every":
        return answer
    if answer.kind == "alternative":
        chosen = [one for one in lab.behaviours if one.step >= min(answer.steps)]
    else:
        chosen = [one for one in lab.behaviours if one.step in answer.steps]
        if tests == "known":
            chosen = [one for one in chosen if one.id in known] or chosen
    return replace(answer, tests=tuple(one.id for one in chosen))


def _until_caught(answer: Answer, known: Collection[str]) -> Answer:
    """A mistake meets those tests first that it is known to fail, and one is enough."""
    if answer.kind != "mistake":
        return answer
    first = sorted(answer.tests, key=lambda test: test not in known)
    return replace(answer, tests=tuple(first), options=(*answer.options, "-x"))


def _recording(scratch: Path, seed: int, steps: frozenset[int]) -> Answer:
    return Answer(
        "recording", "solution", "", steps, ("--impl", "solutions", "--record", str(scratch / f"{seed}.values"))
    )


def _replay(scratch: Path, seed: int, steps: frozenset[int]) -> Answer:
    says = "the values were recorded from the solution under another seed."
    return Answer("replay", "replay", says, steps, ("--impl", "solutions", "--replay", str(scratch / f"{seed}.values")))


def _grade(lab: Lab, jobs: list[tuple[Answer, int]], scratch: Path) -> Iterator[Graded]:
    """The verdicts on each job as they come, one forked process a job."""

    def grade(index: int) -> None:
        answer, seed = jobs[index]
        options = [*answer.options, "--seed", str(seed), "--json", str(scratch / f"report-{index}.json")]
        run_suite(lab, options, answer.tests)

    import_once()
    for index, output in run_forked(grade, len(jobs), scratch):
        answer, seed = jobs[index]
        report = scratch / f"report-{index}.json"
        if not report.exists():
            raise LabError(f"proof: {answer.name} under seed {seed} gave no verdicts:\n{output[-2000:]}")
        records = [Record.of(record) for record in json.loads(report.read_text())["records"]]
        report.unlink()
        symptoms = {record.id: symptom(record) for record in records if record.state in LOST}
        yield Graded(answer, seed, {record.id: record.state for record in records}, symptoms)


def problems(lab: Lab, results: list[Graded]) -> list[str]:
    """What the results show to be wrong with the suite, or with the banks; a line each."""
    found = []
    step_of = {behaviour.id: behaviour.step for behaviour in lab.behaviours}
    for graded in results:
        answer, where = graded.answer, f"under seed {graded.seed}"
        passed = [test for test, state in graded.states.items() if state == "passed"]
        expected = step_of if answer.tests is None else answer.tests
        if sorted(graded.states) != sorted(expected) and "-x" not in answer.options:
            found.append(f"{answer.name}: {len(graded.states)} of {len(expected)} tests ran {where}")
        if answer.kind in ("solution", "alternative") and len(passed) < len(graded.states):
            found.append(f"{answer.name} is right, but fails {', '.join(graded.lost)} {where}")
        if answer.kind in ("stub", "replay") and passed:
            found.append(f"the {answer.name} passes {', '.join(passed)} {where}")
        if answer.kind == "mistake" and not any(step_of[test] in answer.steps for test in graded.lost):
            found.append(f"{answer.name} is wrong, but no test of its step fails {where}")
    for test in sorted(step_of.keys() - _proved(results)):
        found.append(f"{test} is proved by no mistake: none fails it")
    return found


def _proved(results: list[Graded]) -> set[str]:
    return {test for graded in results if graded.answer.kind == "mistake" for test in graded.lost}


def first_seed(results: list[Graded]) -> list[Graded]:
    """The results under the first seed, where every test was put to every mistake."""
    seed = min(graded.seed for graded in results)
    return [graded for graded in results if graded.seed == seed]


def needless(lab: Lab, results: list[Graded]) -> list[str]:
    """The tests without which every mistake would still be caught."""
    step_of = {behaviour.id: behaviour.step for behaviour in lab.behaviours}
    needed = set()
    for graded in first_seed(results):
        own = [test for test in graded.lost if step_of[test] in graded.answer.steps]
        if graded.answer.kind == "mistake" and len(own) == 1:
            needed.add(own[0])
    return [test for test in step_of if test not in needed]


def misconceptions(lab: Lab, results: list[Graded]) -> dict[str, dict[str, object]]:
    """Each mistake's sentence, its steps and, of these, the tests that it fails under the first seed and how."""
    step_of = {behaviour.id: behaviour.step for behaviour in lab.behaviours}
    return {
        graded.answer.name: {
            "says": graded.answer.says,
            "steps": sorted(graded.answer.steps),
            "fails": {test: how for test, how in graded.symptoms.items() if step_of[test] in graded.answer.steps},
        }
        for graded in first_seed(results)
        if graded.answer.kind == "mistake"
    }
